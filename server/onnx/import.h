#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "absl/status/statusor.h"
#include "server/graph/graph.h"

namespace fourfold::onnx {

// What a file may hold. Everything is checked before memory is taken for it.
struct ImportLimits {
  size_t file_bytes = size_t{2} << 30;  // of the whole file
  size_t nodes = 100'000;
  size_t values = 400'000;
  size_t rank = 8;
  int64_t tensor_elements = int64_t{1} << 31;
};

// Reads an ONNX model (opset 7 to 22, any IR version, default domain) into the IR. Constant nodes
// and initializers become constants; Dropout and Identity vanish later. Shapes are inferred.
//   INVALID_ARGUMENT   not an ONNX model, truncated, inconsistent, or over a limit
//   UNIMPLEMENTED      operators or attributes we lack: all of them named at once, with a node each
absl::StatusOr<graph::Graph> Import(std::span<const std::byte> file,
                                    const ImportLimits& limits = {});

}  // namespace fourfold::onnx
