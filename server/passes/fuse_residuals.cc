#include "server/passes/passes.h"
#include "server/passes/rewrite.h"

namespace fourfold::passes {

using graph::Binary;
using graph::Graph;
using graph::kNoValue;
using graph::Node;
using graph::Value;
using graph::ValueId;

namespace {

constexpr size_t kResidual = 3, kDynamicParameters = 4;

// Equal but for a batch dimension that neither knows: nothing is broadcast.
bool SameShape(const Value& a, const Value& b) {
  if (!a.shape || !b.shape || *a.shape != *b.shape || a.shape->size() < 2) return false;
  return graph::IsStatic(graph::Shape(a.shape->begin() + 1, a.shape->end()));
}

bool IsPlainFloat(const Value& value) {
  return !value.quantization && value.type == graph::DataType::kFloat32 &&
         value.constant == nullptr;
}

// Whether the sum of `operand` and `other` can be left to the node that computes `operand`.
bool TakesResidual(const Graph& graph, Fusion& fusion, ValueId operand, ValueId other) {
  Node* producer = fusion.Producer(operand);
  if (producer == nullptr || operand == other || !fusion.MayVanish(operand)) return false;
  if (producer->as<graph::Conv>() == nullptr && producer->as<graph::MatMul>() == nullptr)
    return false;
  if (HasActivation(*FusedActivation(*producer)) || producer->input(kResidual) != kNoValue)
    return false;
  const bool integer = graph.value(producer->inputs[0]).quantization.has_value();
  if (integer && producer->input(kDynamicParameters) == kNoValue) return false;
  return IsPlainFloat(graph.value(other)) && SameShape(graph.value(operand), graph.value(other));
}

}  // namespace

absl::Status FuseResiduals(Graph& graph) {
  Fusion fusion(graph);
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const auto* sum = graph.nodes[i].as<Binary>();
    if (sum == nullptr || sum->operation != Binary::Operation::kAdd) continue;
    if (!IsPlainFloat(graph.value(graph.nodes[i].outputs[0]))) continue;
    const kernels::Activation activation = sum->activation;
    const ValueId a = graph.nodes[i].inputs[0], b = graph.nodes[i].inputs[1];
    ValueId operand = kNoValue;
    // Of two that could, the one computed later: its place is nearer to the sum's, where it moves.
    for (ValueId candidate : {a, b}) {
      if (!TakesResidual(graph, fusion, candidate, candidate == a ? b : a)) continue;
      if (operand == kNoValue || fusion.Producer(candidate) > fusion.Producer(operand))
        operand = candidate;
    }
    if (operand == kNoValue) continue;
    Node& producer = *fusion.Producer(operand);
    if (producer.inputs.size() <= kResidual) producer.inputs.resize(kResidual + 1, kNoValue);
    producer.inputs[kResidual] = operand == a ? b : a;
    *FusedActivation(producer) = activation;
    fusion.MergeAt(producer, i);
  }
  fusion.Finish();
  return absl::OkStatus();
}

}  // namespace fourfold::passes
