#pragma once

#include "kernels/cpu_features.h"
#include "server/graph/graph.h"

namespace fourfold::quantize {

// Lets a model that was exported for one sample take any number of them, if a trial on random
// inputs shows that no answer changes; says in the graph's metadata (kBatchingKey) what
// came of it.
void SettleBatch(graph::Graph& graph, kernels::CpuFeatures features);

}  // namespace fourfold::quantize
