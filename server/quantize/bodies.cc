#include "server/quantize/bodies.h"

#include <memory>

namespace fourfold::quantize {

using graph::Graph;

Graph WithBodies(Graph graph, const std::function<Graph(const Graph&)>& change) {
  const auto replace = [&](std::shared_ptr<const Graph>& body) {
    body = std::make_shared<const Graph>(change(WithBodies(*body, change)));
  };
  for (graph::Node& node : graph.nodes) {
    if (auto* branches = node.as<graph::If>()) {
      replace(branches->then_branch);
      replace(branches->else_branch);
    } else if (auto* loop = node.as<graph::Loop>()) {
      replace(loop->body);
    } else if (auto* scan = node.as<graph::Scan>()) {
      replace(scan->body);
    }
  }
  return graph;
}

}  // namespace fourfold::quantize
