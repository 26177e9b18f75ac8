#pragma once

#include "kernels/cpu_features.h"
#include "server/graph/graph.h"

namespace fourfold::quantize {

// Metadata entry of a variant's file: how its requests are batched, for people.
inline constexpr char kBatchingKey[] = "fourfold.batching";

// Lets a model that was exported for one sample take any number of them, if a trial on random
// inputs shows that no answer changes; says in the graph's metadata what came of it.
void SettleBatch(graph::Graph& graph, kernels::CpuFeatures features);

}  // namespace fourfold::quantize
