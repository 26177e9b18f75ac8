#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "client/tensor.h"

namespace fourfold::loadtest {

// A tensor's elements as numbers, row-major; integers beyond 2^53 are rounded. UNIMPLEMENTED for
// BYTES and BF16; DATA_LOSS if the bytes are not whole elements.
absl::StatusOr<std::vector<double>> Elements(const client::Tensor& tensor);

}  // namespace fourfold::loadtest
