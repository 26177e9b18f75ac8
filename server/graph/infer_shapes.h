#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "server/graph/graph.h"

namespace fourfold::graph {

// Computes type and shape of every value from those of the inputs and constants, and evaluates
// nodes whose inputs are all known (shape arithmetic above all) into constants. Unknown dimensions
// stay unknown. INVALID_ARGUMENT names the node whose inputs do not fit its operation, with what it
// got and wanted; products are checked against overflow.
absl::Status InferShapes(Graph& graph);

// Computes type and shape of what the last node writes, from what is known of its inputs; false
// where its rules refuse them.
bool InferLastNode(Graph& graph);

// The graph with its inputs fixed to `shapes` (one per graph input, all dimensions known),
// everything inferred from them, and nodes that became constant or useless removed.
// INVALID_ARGUMENT also for shapes that the inputs do not admit and for values whose shape stays
// unknown.
absl::StatusOr<Graph> BindInputShapes(const Graph& graph, const std::vector<Shape>& shapes);

// The same where the contents of some inputs are known too: one tensor per graph input, null where
// they are not. Branches that are decided by them are taken.
absl::StatusOr<Graph> BindInputs(const Graph& graph, const std::vector<Shape>& shapes,
                                 const std::vector<TensorPtr>& contents);

// Removes nodes none of whose outputs reaches a graph output. Values stay.
void RemoveDeadNodes(Graph& graph);

// Pads of a window over an image: explicit ones, or those that auto_pad means. Sizes are spatial.
// Also fills strides, dilations and kernel with their defaults.
absl::StatusOr<Window> ResolveWindow(const Window& window, const std::vector<int64_t>& image,
                                     const std::vector<int64_t>& kernel);

}  // namespace fourfold::graph
