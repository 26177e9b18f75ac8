#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "server/graph/graph.h"

namespace fourfold::conformance {

struct ExecuteOptions {
  std::string engine;  // only this engine's kernels; empty: any
};

// The graph's outputs for these inputs (one per graph input). Inputs whose contents decide shapes
// (a shape for Reshape, starts for Slice) are taken for what they are.
//   INVALID_ARGUMENT   the inputs do not fit the graph
//   UNIMPLEMENTED      no kernel takes a node
absl::StatusOr<std::vector<graph::TensorPtr>> Execute(const graph::Graph& graph,
                                                      const std::vector<graph::TensorPtr>& inputs,
                                                      const ExecuteOptions& options);

}  // namespace fourfold::conformance
