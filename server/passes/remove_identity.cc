#include "server/passes/passes.h"
#include "server/passes/rewrite.h"

namespace fourfold::passes {

using graph::Graph;
using graph::kNoValue;
using graph::Node;
using graph::Value;
using graph::ValueId;

namespace {

// The value that the caller reads keeps its name: what made x makes y, and everybody reads y.
bool ComputeUnderName(Graph& graph, const graph::Uses& uses, ValueId x, ValueId y,
                      const std::vector<bool>& moved) {
  Value& output = graph.value(y);
  const Value& input = graph.value(x);
  if (input.constant != nullptr && !input.quantization) {
    output.constant = input.constant;
    output.type = input.type;
    output.shape = input.shape;
    return true;
  }
  const int producer = uses.producer(x);
  if (producer < 0 || uses.is_output(x) || input.quantization || moved[static_cast<size_t>(x)])
    return false;
  output.type = input.type;
  output.shape = input.shape;
  for (ValueId& id : graph.nodes[static_cast<size_t>(producer)].outputs) {
    if (id == x) id = y;
  }
  return true;
}

bool CastsToItself(const Graph& graph, const Node& node) {
  const auto* cast = node.as<graph::Cast>();
  if (cast == nullptr) return false;
  const Value& x = graph.value(node.inputs[0]);
  return x.type == cast->to && x.constant == nullptr && !x.quantization;
}

}  // namespace

absl::Status RemoveIdentity(Graph& graph) {
  const graph::Uses uses(graph);
  std::vector<ValueId> to(graph.value_count(), kNoValue);
  std::vector<bool> erased(graph.nodes.size(), false), moved(graph.value_count(), false);
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const Node& node = graph.nodes[i];
    if (node.as<graph::Identity>() == nullptr && !CastsToItself(graph, node)) continue;
    ValueId x = node.inputs[0];
    const ValueId y = node.outputs[0];
    while (to[static_cast<size_t>(x)] != kNoValue) x = to[static_cast<size_t>(x)];
    if (graph.value(y).quantization) continue;  // a change of storage
    if (!uses.is_output(y)) {
      to[static_cast<size_t>(y)] = x;
    } else if (ComputeUnderName(graph, uses, x, y, moved)) {
      if (graph.value(x).constant == nullptr) {
        to[static_cast<size_t>(x)] = y;
        moved[static_cast<size_t>(x)] = true;
      }
    } else {
      continue;
    }
    erased[i] = true;
  }
  ReplaceUses(graph, to);
  EraseNodes(graph, erased);
  return absl::OkStatus();
}

}  // namespace fourfold::passes
