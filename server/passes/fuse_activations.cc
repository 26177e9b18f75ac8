#include <cmath>

#include "server/passes/passes.h"
#include "server/passes/rewrite.h"

namespace fourfold::passes {

using graph::Binary;
using graph::Eltwise;
using graph::Graph;
using graph::Node;
using graph::ValueId;
using kernels::Activation;

namespace {

// What an element-wise function gives when its result is multiplied by its argument; kNone: no
// name.
Activation::Kind TimesArgument(const Eltwise& gate) {
  if (gate.function == Eltwise::Function::kActivation &&
      gate.activation.kind == Activation::Kind::kSigmoid) {
    return Activation::Kind::kSwish;
  }
  if (gate.function == Eltwise::Function::kHardSigmoid &&
      std::abs(gate.activation.alpha - 1.0f / 6.0f) < 1e-6f && gate.activation.beta == 0.5f) {
    return Activation::Kind::kHardSwish;
  }
  return Activation::Kind::kNone;
}

// Whether `gate` is Tanh of Softplus of x, which nobody else reads.
bool IsMishGate(Fusion& fusion, const Node& gate, ValueId x) {
  const auto* tanh = gate.as<Eltwise>();
  if (tanh == nullptr || tanh->function != Eltwise::Function::kActivation ||
      tanh->activation.kind != Activation::Kind::kTanh || !fusion.MayVanish(gate.inputs[0])) {
    return false;
  }
  const Node* producer = fusion.Producer(gate.inputs[0]);
  const auto* softplus = producer == nullptr ? nullptr : producer->as<Eltwise>();
  return softplus != nullptr && softplus->function == Eltwise::Function::kSoftplus &&
         producer->inputs[0] == x;
}

// x * Sigmoid(x), x * HardSigmoid(x) and x * Tanh(Softplus(x)) become one function of x.
void NameGates(Graph& graph) {
  Fusion fusion(graph);
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const auto* product = graph.nodes[i].as<Binary>();
    if (product == nullptr || product->operation != Binary::Operation::kMul ||
        HasActivation(product->activation)) {
      continue;
    }
    for (size_t side = 0; side < 2; ++side) {
      const ValueId gated = graph.nodes[i].inputs[side], x = graph.nodes[i].inputs[1 - side];
      Node* gate = fusion.Producer(gated);
      if (gate == nullptr || gate->as<Eltwise>() == nullptr || !fusion.MayVanish(gated)) continue;
      if (IsMishGate(fusion, *gate, x)) {
        gate->operation = Eltwise{Eltwise::Function::kMish, {}};
        gate->inputs = {x};  // the Softplus is dead
        fusion.MergeInto(*gate, i);
        break;
      }
      if (gate->inputs[0] != x) continue;
      const Activation::Kind kind = TimesArgument(*gate->as<Eltwise>());
      if (kind == Activation::Kind::kNone) continue;
      gate->operation = Eltwise{Eltwise::Function::kActivation, {kind, 0.0f, 0.0f}};
      fusion.MergeInto(*gate, i);
      break;
    }
  }
  fusion.Finish();
}

// Integer addition and multiplication have no table: only what saturation can stand for goes in.
bool FitsInto(const Graph& graph, const Node& producer, const Activation& activation,
              ValueId result) {
  if (producer.as<Binary>() == nullptr || !graph.value(result).quantization) return true;
  return activation.kind == Activation::Kind::kRelu || activation.kind == Activation::Kind::kClip;
}

}  // namespace

absl::Status FuseActivations(Graph& graph) {
  NameGates(graph);
  Fusion fusion(graph);
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const auto* eltwise = graph.nodes[i].as<Eltwise>();
    if (eltwise == nullptr || eltwise->function != Eltwise::Function::kActivation) continue;
    const ValueId x = graph.nodes[i].inputs[0];
    Node* producer = fusion.Producer(x);
    if (producer == nullptr || !fusion.MayVanish(x)) continue;
    Activation* fused = FusedActivation(*producer);
    if (fused == nullptr || HasActivation(*fused)) continue;
    if (!FitsInto(graph, *producer, eltwise->activation, graph.nodes[i].outputs[0])) continue;
    *fused = eltwise->activation;
    fusion.MergeInto(*producer, i);
  }
  fusion.Finish();
  return absl::OkStatus();
}

}  // namespace fourfold::passes
