#pragma once

#include <cstddef>
#include <span>

#include "absl/status/statusor.h"
#include "server/graph/graph.h"
#include "server/graph/import_limits.h"
#include "server/onnx/external_data.h"

namespace fourfold::onnx {

using graph::ImportLimits;

// Reads an ONNX model (opset 7 to 22, older ones as far as their operators stayed the same; any IR
// version) into the IR. Constant nodes and initializers become constants; Dropout and Identity
// vanish later. Shapes are inferred.
// Constants in external data point into the files of `external`, which is borrowed for the call;
// what it opened is held by the graph. null: such models are refused.
//   INVALID_ARGUMENT   not an ONNX model, truncated, inconsistent, or over a limit
//   UNIMPLEMENTED      operators or attributes we lack: all of them named at once, with a node each
absl::StatusOr<graph::Graph> Import(std::span<const std::byte> file,
                                    const ImportLimits& limits = {},
                                    ExternalData* external = nullptr);

}  // namespace fourfold::onnx
