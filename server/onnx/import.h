#pragma once

#include <cstddef>
#include <span>

#include "absl/status/statusor.h"
#include "server/graph/graph.h"
#include "server/graph/import_limits.h"

namespace fourfold::onnx {

using graph::ImportLimits;

// Reads an ONNX model (opset 7 to 22, any IR version, default domain) into the IR. Constant nodes
// and initializers become constants; Dropout and Identity vanish later. Shapes are inferred.
//   INVALID_ARGUMENT   not an ONNX model, truncated, inconsistent, or over a limit
//   UNIMPLEMENTED      operators or attributes we lack: all of them named at once, with a node each
absl::StatusOr<graph::Graph> Import(std::span<const std::byte> file,
                                    const ImportLimits& limits = {});

}  // namespace fourfold::onnx
