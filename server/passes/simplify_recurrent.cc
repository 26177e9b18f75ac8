#include "server/base/status_macros.h"
#include "server/graph/infer_shapes.h"
#include "server/passes/passes.h"
#include "server/passes/rewrite.h"

namespace fourfold::passes {

using graph::Graph;
using graph::kNoValue;
using graph::Node;
using graph::ValueId;

namespace {

// The axes of a Squeeze or Unsqueeze; nothing if they are computed or all that have size 1.
std::optional<std::vector<int64_t>> Axes(const Graph& graph, const Node& node) {
  const graph::Tensor* axes = graph.ConstantInput(node, 1);
  if (axes == nullptr) return std::nullopt;
  return axes->ToInt64();
}

// A Squeeze of the dimension that an Unsqueeze just added is nothing: what lies between a layer's
// direction and the next operation.
void CancelSqueezes(Graph& graph) {
  const graph::Uses uses(graph);
  for (Node& node : graph.nodes) {
    if (node.as<graph::Squeeze>() == nullptr) continue;
    const int producer = uses.producer(node.inputs[0]);
    if (producer < 0) continue;
    const Node& before = graph.nodes[static_cast<size_t>(producer)];
    if (before.as<graph::Unsqueeze>() == nullptr) continue;
    if (graph.value(node.inputs[0]).quantization || graph.value(node.outputs[0]).quantization)
      continue;
    const auto axes = Axes(graph, node);
    if (!axes || axes != Axes(graph, before)) continue;
    const ValueId x = before.inputs[0];
    node.operation = graph::Identity{};
    node.inputs = {x};
  }
}

void DropUnusedOutputs(Graph& graph) {
  graph::RemoveDeadNodes(graph);
  const graph::Uses uses(graph);
  for (Node& node : graph.nodes) {
    if (node.as<graph::Recurrent>() == nullptr) continue;
    for (size_t i = 1; i < node.outputs.size(); ++i) {  // the first one stands for the node
      ValueId& id = node.outputs[i];
      if (id != kNoValue && uses.consumers(id).empty() && !uses.is_output(id)) id = kNoValue;
    }
    while (node.outputs.size() > 1 && node.outputs.back() == kNoValue) node.outputs.pop_back();
  }
}

}  // namespace

absl::Status SimplifyRecurrent(Graph& graph) {
  CancelSqueezes(graph);
  RETURN_IF_ERROR(RemoveIdentity(graph));
  DropUnusedOutputs(graph);
  return absl::OkStatus();
}

}  // namespace fourfold::passes
