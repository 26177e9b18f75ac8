#pragma once

#include <string>

#include "absl/status/status.h"
#include "server/graph/graph.h"

namespace fourfold::graph {

// INTERNAL unless the graph keeps its rules: ids in range, producers before consumers, one producer
// per value, unique node names, quantizations that fit their values. Passes are tested with it.
absl::Status Validate(const Graph& graph);

// One line per node, for people and for messages:
//   conv1: Conv(x [1,3,32,32] float32, w [16,3,3,3] int8, ...) -> y [1,16,32,32] uint8 {0.02, 128}
std::string DebugText(const Graph& graph);

}  // namespace fourfold::graph
