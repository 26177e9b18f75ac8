#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "client/samples/dtype.h"

namespace fourfold::client {

// "FP32", "INT64", "BOOL": the Open Inference Protocol's name.
const char* DatatypeName(samples::DType dtype);

// UNIMPLEMENTED for BYTES and BF16, which .npy files do not have; INVALID_ARGUMENT for no datatype.
absl::StatusOr<samples::DType> ParseDatatype(const std::string& name);

}  // namespace fourfold::client
