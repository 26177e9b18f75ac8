#pragma once

#include <functional>

#include "server/graph/graph.h"

namespace fourfold::quantize {

// The graph with each graph inside of its nodes (branches of If, bodies of Loop and Scan) replaced
// by change(body), innermost first. Nothing calibrates there, so what is quantized in a body is so
// without samples.
graph::Graph WithBodies(graph::Graph graph,
                        const std::function<graph::Graph(const graph::Graph&)>& change);

}  // namespace fourfold::quantize
