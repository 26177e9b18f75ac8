#pragma once

#include <vector>

#include "server/graph/graph.h"

namespace fourfold::runtime {

// A part of a graph whose shapes can all be known before it runs.
struct Stage {
  // The nodes that one plan runs. Values keep their ids; inputs are what earlier stages, dynamic
  // nodes and the caller provide, outputs what is needed behind it.
  graph::Graph graph;
  // Of each input of `graph`: whether the plan is made for its contents, not its shape alone.
  std::vector<bool> wants_contents;
  // Dynamic nodes (graph/contents.h) that run behind the plan, in this order.
  std::vector<graph::Node> dynamic;
};

// Splits a graph where shapes depend on data: a node whose shapes or operands are known only when
// others have run goes into a later stage than those. Most graphs give one stage without dynamic
// nodes, whose graph is then the graph itself.
std::vector<Stage> SplitStages(const graph::Graph& graph);

}  // namespace fourfold::runtime
