#pragma once

#include "server/graph/graph.h"

namespace fourfold::graph {

// Replaces each If whose condition is constant by the nodes of its branch, until none is left.
// True if there were any: types and shapes then want inferring again.
bool InlineBranches(Graph& graph);

}  // namespace fourfold::graph
