#include "server/base/status_macros.h"
#include "server/passes/absorb_quantization.h"
#include "server/passes/rewrite.h"

namespace fourfold::passes {

using graph::DataType;
using graph::Dequantize;
using graph::Graph;
using graph::kNoValue;
using graph::Node;
using graph::Quantize;
using graph::Uses;
using graph::Value;
using graph::ValueId;

namespace {

// Scale and zero point as inputs of Quantize and Dequantize.
struct Parameters {
  ValueId scale = kNoValue;
  ValueId zero_point = kNoValue;
};

// Operations that files put on stored integers, between QuantizeLinear (or QLinearConv) and
// DequantizeLinear, and that mean the same on real numbers.
bool KeepsScale(const Node& node) {
  if (const auto* pool = node.as<graph::Pool>()) return pool->kind == graph::Pool::Kind::kMax;
  if (const auto* eltwise = node.as<graph::Eltwise>()) {
    return eltwise->function == graph::Eltwise::Function::kActivation &&
           eltwise->activation.kind == kernels::Activation::Kind::kClip;
  }
  return node.as<graph::Transpose>() || node.as<graph::Reshape>() || node.as<graph::Flatten>() ||
         node.as<graph::Squeeze>() || node.as<graph::Unsqueeze>() || node.as<graph::Slice>() ||
         node.as<graph::Gather>() || node.as<graph::Expand>();
}

class Lifting {
 public:
  explicit Lifting(Graph& graph) : graph_(graph), names_(graph), known_(graph.value_count()) {}

  absl::Status Run() {
    FindParameters();
    for (Node& node : graph_.nodes) RETURN_IF_ERROR(Add(std::move(node)));
    graph_.nodes = std::move(nodes_);
    return absl::OkStatus();
  }

 private:
  bool IsEightBits(ValueId id) const {
    const Value& value = graph_.value(id);
    return value.constant == nullptr && !value.quantization &&
           (value.type == DataType::kInt8 || value.type == DataType::kUint8);
  }

  bool IsConstantScalar(ValueId id) const {
    const auto& constant = graph_.value(id).constant;
    return constant != nullptr && constant->count() == 1;
  }

  void Note(ValueId integers, const Node& node) {
    if (node.inputs.size() < 2 || !IsEightBits(integers) || known_[Index(integers)]) return;
    if (!IsConstantScalar(node.inputs[1])) return;
    if (node.input(2) != kNoValue && !IsConstantScalar(node.inputs[2])) return;
    known_[Index(integers)] = Parameters{node.inputs[1], node.input(2)};
  }

  // From who writes stored integers onwards, then from who reads them backwards.
  void FindParameters() {
    for (const Node& node : graph_.nodes) {
      if (node.as<Quantize>()) Note(node.outputs[0], node);
      if (Lifts(node) && known_[Index(node.inputs[0])] && !known_[Index(node.outputs[0])])
        known_[Index(node.outputs[0])] = known_[Index(node.inputs[0])];
    }
    for (size_t i = graph_.nodes.size(); i-- > 0;) {
      const Node& node = graph_.nodes[i];
      if (node.as<Dequantize>()) Note(node.inputs[0], node);
      if (Lifts(node) && known_[Index(node.outputs[0])] && !known_[Index(node.inputs[0])])
        known_[Index(node.inputs[0])] = known_[Index(node.outputs[0])];
    }
  }

  bool Lifts(const Node& node) const {
    return KeepsScale(node) && IsEightBits(node.inputs[0]) && IsEightBits(node.outputs[0]);
  }

  static size_t Index(ValueId id) { return static_cast<size_t>(id); }

  ValueId NewReal(ValueId like) {
    Value value;
    value.name = names_.Value(graph_.value(like).name + "_real");
    value.shape = graph_.value(like).shape;
    return graph_.AddValue(std::move(value));
  }

  void Emit(const std::string& name, graph::Operation operation, ValueId x, const Parameters& how,
            ValueId y) {
    Node node;
    node.name = names_.Node(name);
    node.operation = std::move(operation);
    node.inputs = {x, how.scale};
    if (how.zero_point != kNoValue) node.inputs.push_back(how.zero_point);
    node.outputs = {y};
    nodes_.push_back(std::move(node));
  }

  absl::Status Add(Node node) {
    const std::optional<Parameters> how =
        Lifts(node) ? known_[Index(node.inputs[0])] : std::nullopt;
    if (!how) {
      nodes_.push_back(std::move(node));
      return absl::OkStatus();
    }
    const ValueId x = node.inputs[0], y = node.outputs[0];
    if (auto* clip = node.as<graph::Eltwise>()) {
      const float scale = graph_.value(how->scale).constant->ToFloat()[0];
      const float zero =
          how->zero_point == kNoValue
              ? 0.0f
              : static_cast<float>(graph_.value(how->zero_point).constant->ToInt64()[0]);
      clip->activation.alpha = (clip->activation.alpha - zero) * scale;
      clip->activation.beta = (clip->activation.beta - zero) * scale;
    }
    node.inputs[0] = NewReal(x);
    node.outputs[0] = NewReal(y);
    Emit(node.name + "_dequantize", Dequantize{}, x, *how, node.inputs[0]);
    const ValueId real = node.outputs[0];
    const std::string name = node.name;
    nodes_.push_back(std::move(node));
    Emit(name + "_quantize", Quantize{}, real, *how, y);
    return absl::OkStatus();
  }

  Graph& graph_;
  NewNames names_;
  std::vector<std::optional<Parameters>> known_;  // by value of the graph as it was
  std::vector<Node> nodes_;
};

}  // namespace

absl::Status LiftIntegers(Graph& graph) { return Lifting(graph).Run(); }

}  // namespace fourfold::passes
