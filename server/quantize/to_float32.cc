#include <algorithm>
#include <map>

#include "server/graph/evaluate_numbers.h"
#include "server/graph/names.h"
#include "server/quantize/quantized_model.h"

namespace fourfold::quantize {
namespace {

using graph::DataType;
using graph::Graph;
using graph::kNoValue;
using graph::Node;
using graph::Uses;
using graph::Value;
using graph::ValueId;
using kernels::Activation;

constexpr size_t kDynamic = 4;  // input of Conv and MatMul

// What a stored activation can represent.
struct Range {
  float low, high;
};

Range RangeOf(DataType type, const graph::Quantization& how) {
  const int32_t lowest = type == DataType::kInt8 ? -128 : 0;
  return {static_cast<float>(lowest - how.zero_point[0]) * how.scale[0],
          static_cast<float>(lowest + 255 - how.zero_point[0]) * how.scale[0]};
}

Activation ClipTo(Range range) { return {Activation::Kind::kClip, range.low, range.high}; }

// The activation with the range behind it as one, if there is such a one.
std::optional<Activation> Limited(const Activation& activation, Range range) {
  switch (activation.kind) {
    case Activation::Kind::kNone: return ClipTo(range);
    case Activation::Kind::kRelu: return ClipTo({std::max(range.low, 0.0f), range.high});
    case Activation::Kind::kClip:
      return ClipTo({std::clamp(activation.alpha, range.low, range.high),
                     std::clamp(activation.beta, range.low, range.high)});
    default: return std::nullopt;
  }
}

Activation* ActivationOf(Node& node) {
  if (auto* conv = node.as<graph::Conv>()) return &conv->activation;
  if (auto* matmul = node.as<graph::MatMul>()) return &matmul->activation;
  if (auto* binary = node.as<graph::Binary>()) return &binary->activation;
  auto* eltwise = node.as<graph::Eltwise>();
  const bool named =
      eltwise != nullptr && eltwise->function == graph::Eltwise::Function::kActivation;
  return named ? &eltwise->activation : nullptr;
}

// Operations whose results lie between the least and the largest of their data inputs and 0.
bool KeepsRange(const Node& node) {
  return node.as<graph::Pool>() || node.as<graph::Pad>() || node.as<graph::Concat>() ||
         node.as<graph::Transpose>() || node.as<graph::Reshape>() || node.as<graph::Flatten>() ||
         node.as<graph::Squeeze>() || node.as<graph::Unsqueeze>() || node.as<graph::Slice>() ||
         node.as<graph::Gather>() || node.as<graph::Expand>() || node.as<graph::Identity>() ||
         node.as<graph::Dequantize>() || node.as<graph::Quantize>();
}

class Dequantizer {
 public:
  explicit Dequantizer(const Graph& graph) : graph_(graph), uses_(graph), result_(graph) {}

  Graph Run() {
    for (ValueId id = 0; id < static_cast<ValueId>(graph_.value_count()); ++id)
      names_.Unique(graph_.value(id).name);
    for (const Node& node : graph_.nodes) names_.Unique(node.name);
    for (ValueId id = 0; id < static_cast<ValueId>(graph_.value_count()); ++id) Unpack(id);
    for (const Node& node : graph_.nodes) Add(node);
    result_.nodes = std::move(nodes_);
    return std::move(result_);
  }

 private:
  // Integers that the caller feeds or reads.
  bool IsOutside(ValueId id) const {
    return (uses_.producer(id) < 0 && graph_.value(id).constant == nullptr) || uses_.is_output(id);
  }

  bool IsStored(ValueId id) const {
    const Value& value = graph_.value(id);
    return value.quantization && value.constant == nullptr && !IsOutside(id);
  }

  void Unpack(ValueId id) {
    const Value& old = graph_.value(id);
    if (!old.quantization || (old.constant != nullptr && uses_.is_output(id))) return;
    Value& value = result_.value(id);
    if (old.constant != nullptr) {
      value.constant = graph::DequantizeTensor(*old.constant, *old.quantization);
    } else if (IsOutside(id)) {
      return;
    }
    value.type = DataType::kFloat32;
    value.quantization.reset();
  }

  void Add(const Node& original) {
    if (const auto* dynamic = original.as<graph::DynamicQuantize>();
        dynamic != nullptr && dynamic->per_sample) {
      real_[original.outputs[0]] = original.inputs[0];
      return;
    }
    Node node = original;
    for (ValueId& id : node.inputs) {
      if (const auto found = real_.find(id); found != real_.end()) id = found->second;
    }
    const bool product = node.as<graph::Conv>() || node.as<graph::MatMul>();
    if (product && node.inputs.size() > kDynamic) {
      node.inputs.resize(kDynamic);
      while (node.inputs.back() == kNoValue) node.inputs.pop_back();
    }
    const ValueId out = node.outputs.empty() ? kNoValue : node.outputs[0];
    const bool stored = out != kNoValue && IsStored(out);
    const bool plain = node.inputs.size() == 1;
    if ((plain && node.as<graph::Quantize>() && !IsOutside(out)) ||
        (plain && node.as<graph::Dequantize>() && IsStored(original.inputs[0]))) {
      node.operation = graph::Identity{};
    }
    if (!stored) {
      nodes_.push_back(std::move(node));
      return;
    }
    Limit(original, std::move(node), out);
  }

  // The node with its result cut off to what was stored of it.
  void Limit(const Node& original, Node node, ValueId out) {
    const Value& value = graph_.value(out);
    const Range range = RangeOf(value.type, *value.quantization);
    if (KeepsRange(original) && Within(original, range)) {
      nodes_.push_back(std::move(node));
      return;
    }
    if (node.as<graph::Identity>()) {
      graph::Eltwise clip;
      clip.activation = ClipTo(range);
      node.operation = clip;
      nodes_.push_back(std::move(node));
      return;
    }
    Activation* activation = ActivationOf(node);
    const std::optional<Activation> limited =
        activation == nullptr ? std::nullopt : Limited(*activation, range);
    if (limited) {
      *activation = *limited;
      nodes_.push_back(std::move(node));
      return;
    }
    Value unlimited;
    unlimited.name = names_.Unique(value.name + "_unlimited");
    unlimited.shape = value.shape;
    node.outputs[0] = result_.AddValue(std::move(unlimited));
    graph::Eltwise clip;
    clip.activation = ClipTo(range);
    Node behind{names_.Unique(node.name + "_range"), clip, {node.outputs[0]}, {out}};
    nodes_.push_back(std::move(node));
    nodes_.push_back(std::move(behind));
  }

  // Whether all that the node reads was stored within `range`.
  bool Within(const Node& node, Range range) const {
    const size_t data = node.as<graph::Concat>() ? node.inputs.size() : 1;
    for (size_t i = 0; i < data; ++i) {
      const Value& input = graph_.value(node.inputs[i]);
      if (!input.quantization || !input.quantization->per_tensor()) return false;
      const Range own = RangeOf(input.type, *input.quantization);
      if (own.low < range.low || own.high > range.high) return false;
    }
    return true;
  }

  const Graph& graph_;
  const Uses uses_;
  Graph result_;
  graph::NameSet names_;             // of values and nodes
  std::map<ValueId, ValueId> real_;  // integers quantized as they came -> what they were made of
  std::vector<Node> nodes_;
};

bool HasStoredWeights(const Graph& graph, const Node& node) {
  if (!node.as<graph::Conv>() && !node.as<graph::MatMul>()) return false;
  const Value& weights = graph.value(node.inputs[1]);
  return weights.constant != nullptr && weights.quantization.has_value();
}

}  // namespace

bool IsQuantized(const Graph& graph) {
  return std::any_of(graph.nodes.begin(), graph.nodes.end(), [&](const Node& node) {
    return HasStoredWeights(graph, node) && node.input(kDynamic) == kNoValue &&
           graph.value(node.inputs[0]).quantization.has_value();
  });
}

bool IsDynamicallyQuantized(const Graph& graph) {
  return std::any_of(graph.nodes.begin(), graph.nodes.end(), [&](const Node& node) {
    return HasStoredWeights(graph, node) && node.input(kDynamic) != kNoValue;
  });
}

Graph ToFloat32(const Graph& graph) { return Dequantizer(graph).Run(); }

}  // namespace fourfold::quantize
