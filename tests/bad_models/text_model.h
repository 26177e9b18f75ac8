#pragma once

#include <string>

#include "absl/status/statusor.h"

namespace fourfold::testing {

// The bytes of an ONNX model that is written in protobuf's text format. The messages that Fourfold
// is built with have no such format (onnx.proto asks for protobuf's lite runtime), so their
// descriptors are read from a file that the build makes. INVALID_ARGUMENT says in which line the
// text is wrong.
absl::StatusOr<std::string> ModelFromText(const std::string& text);

}  // namespace fourfold::testing
