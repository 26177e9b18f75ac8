#pragma once

#include <cstdint>

#include "server/graph/graph.h"

namespace fourfold::onnx {

// Files are written for this opset unless an operation is not in it.
inline constexpr int64_t kExportOpset = 13;

// The oldest opset from kExportOpset on that has the operation in the form in which it is written.
int64_t OpsetOf(const graph::Operation& operation);

// That of all nodes, those of graphs inside of them too.
int64_t OpsetOf(const graph::Graph& graph);

}  // namespace fourfold::onnx
