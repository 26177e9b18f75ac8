#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "client/tensor.h"
#include "nlohmann/json_fwd.hpp"

namespace fourfold::cli {

// The first `limit` elements as a flat JSON array in row-major order, as REST v2 writes data.
// UNIMPLEMENTED for BYTES and BF16; DATA_LOSS if the bytes do not fit the shape.
absl::StatusOr<nlohmann::ordered_json> ElementsToJson(const client::Tensor& tensor, int64_t limit);

// "0.0123 0.9 ... (10 elements)": at most `limit` elements. Errors as ElementsToJson.
absl::StatusOr<std::string> ElementsToText(const client::Tensor& tensor, int64_t limit);

// Of each row along the last axis the index of its largest element: "7, 2, 1"; at most `limit`
// rows. Empty for tensors of less than two axes, or a last axis of less than two.
absl::StatusOr<std::string> LargestToText(const client::Tensor& tensor, int64_t limit);

}  // namespace fourfold::cli
