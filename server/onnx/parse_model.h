#pragma once

#include <cstddef>
#include <span>

#include "absl/status/status.h"
#include "onnx/onnx.pb.h"
#include "server/onnx/import.h"

namespace fourfold::onnx {

// Reads a file's bytes into `model`. Before anything is built, the file is walked once to count
// what it holds, because an empty message of two bytes in a file takes a hundred times as much in
// memory.
//   INVALID_ARGUMENT   empty, over a limit, or not a protobuf of that kind
absl::Status ParseModel(std::span<const std::byte> file, const ImportLimits& limits,
                        ::onnx::ModelProto& model);

}  // namespace fourfold::onnx
