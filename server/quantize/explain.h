#pragma once

#include <memory>
#include <span>
#include <vector>

#include "server/graph/graph.h"
#include "server/report/report.h"
#include "server/runtime/plan.h"

namespace fourfold::quantize {

// What the plans of a variant run, step by step: operation, result, precision, kernel, and for
// products that do not run in int8 the reason. `graph` is what the plans were made of.
std::vector<report::Layer> Explain(const graph::Graph& graph,
                                   std::span<const std::shared_ptr<const runtime::Plan>> plans);

}  // namespace fourfold::quantize
