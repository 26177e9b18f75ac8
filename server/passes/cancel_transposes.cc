#include <numeric>

#include "server/base/status_macros.h"
#include "server/passes/passes.h"
#include "server/passes/rewrite.h"

namespace fourfold::passes {

using graph::Graph;
using graph::Node;
using graph::Transpose;
using graph::Value;

namespace {

// The permutation spelt out; nothing where it is "reversed" of an unknown rank.
std::optional<std::vector<int64_t>> Spelt(const Transpose& transpose, const Value& x) {
  if (!transpose.permutation.empty()) return transpose.permutation;
  if (!x.shape) return std::nullopt;
  std::vector<int64_t> reversed(x.shape->size());
  std::iota(reversed.rbegin(), reversed.rend(), 0);
  return reversed;
}

bool IsInOrder(const std::vector<int64_t>& permutation) {
  for (size_t i = 0; i < permutation.size(); ++i) {
    if (permutation[i] != static_cast<int64_t>(i)) return false;
  }
  return true;
}

}  // namespace

absl::Status CancelTransposes(Graph& graph) {
  const graph::Uses uses(graph);
  for (Node& node : graph.nodes) {
    auto* second = node.as<Transpose>();
    if (second == nullptr) continue;
    std::optional<std::vector<int64_t>> permutation = Spelt(*second, graph.value(node.inputs[0]));
    if (!permutation) continue;
    // Earlier nodes have been rewritten already, so one step back is enough.
    const int producer = uses.producer(node.inputs[0]);
    if (producer >= 0) {
      const Node& before = graph.nodes[static_cast<size_t>(producer)];
      const auto* first = before.as<Transpose>();
      const Value& middle = graph.value(node.inputs[0]);
      if (first != nullptr && middle.quantization == graph.value(before.inputs[0]).quantization) {
        const auto inner = Spelt(*first, graph.value(before.inputs[0]));
        if (inner && inner->size() == permutation->size()) {
          for (int64_t& axis : *permutation) axis = (*inner)[static_cast<size_t>(axis)];
          second->permutation = *permutation;
          node.inputs[0] = before.inputs[0];
        }
      }
    }
    if (IsInOrder(*permutation)) node.operation = graph::Identity{};
  }
  RETURN_IF_ERROR(RemoveIdentity(graph));
  return absl::OkStatus();
}

}  // namespace fourfold::passes
