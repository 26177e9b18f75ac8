#include <algorithm>
#include <cmath>
#include <numeric>

#include "server/graph/recurrent.h"
#include "server/graph/saturation.h"
#include "server/quantize/precision.h"
#include "server/quantize/weights.h"

namespace fourfold::quantize {

using graph::Graph;
using graph::Node;
using graph::Value;
using graph::ValueId;

kernels::QuantParams AffineParams(Range range) {
  const float low = std::min(range.low, 0.0f);
  const float high = std::max(range.high, 0.0f);
  kernels::QuantParams params;
  params.scale = (high - low) / 255.0f;
  if (!(params.scale > 0.0f) || !std::isfinite(params.scale)) return {1.0f, 0};
  params.zero_point =
      static_cast<int32_t>(std::clamp(kernels::RoundHalfToEven(-low / params.scale), 0.0f, 255.0f));
  return params;
}

namespace {

// Operations that only pass integers on: results have the quantization of what they read.
bool KeepsParams(const Node& node) {
  if (const auto* pool = node.as<graph::Pool>()) {
    return pool->kind == graph::Pool::Kind::kMax && node.outputs.size() == 1;
  }
  if (const auto* resize = node.as<graph::Resize>()) {
    return resize->mode == graph::Resize::Mode::kNearest &&
           resize->coordinates != graph::Resize::Coordinates::kTfCropAndResize;
  }
  return node.as<graph::Reshape>() || node.as<graph::Flatten>() || node.as<graph::Squeeze>() ||
         node.as<graph::Unsqueeze>() || node.as<graph::Transpose>() || node.as<graph::Slice>() ||
         node.as<graph::Pad>() || node.as<graph::Concat>() || node.as<graph::Identity>() ||
         node.as<graph::Gather>() || node.as<graph::Expand>() || node.as<graph::DepthToSpace>();
}

bool IsMeanOverSpace(const Graph& graph, const Node& node) {
  const auto* reduce = node.as<graph::Reduce>();
  if (reduce == nullptr || reduce->operation != graph::Reduce::Operation::kMean) return false;
  const std::optional<graph::Shape>& shape = graph.value(node.inputs[0]).shape;
  if (!shape.has_value() || shape->size() < 3) return false;
  const auto rank = static_cast<int64_t>(shape->size());
  std::vector<int64_t> axes = reduce->axes;
  if (const graph::Tensor* input = graph.ConstantInput(node, 1)) axes = input->ToInt64();
  for (int64_t& axis : axes) axis += axis < 0 ? rank : 0;
  std::sort(axes.begin(), axes.end());
  if (static_cast<int64_t>(axes.size()) != rank - 2) return false;
  for (size_t i = 0; i < axes.size(); ++i) {
    if (axes[i] != static_cast<int64_t>(i) + 2) return false;
  }
  return true;
}

// Operations beside Conv and MatMul that have integer kernels.
bool HasIntegerKernel(const Graph& graph, const Node& node) {
  if (KeepsParams(node) || node.as<graph::Eltwise>()) return true;
  if (const auto* pool = node.as<graph::Pool>()) return pool->kind == graph::Pool::Kind::kAverage;
  if (const auto* binary = node.as<graph::Binary>()) {
    const auto computed = [&](size_t i) { return graph.value(node.inputs[i]).constant == nullptr; };
    return (binary->operation == graph::Binary::Operation::kAdd ||
            binary->operation == graph::Binary::Operation::kMul) &&
           computed(0) && computed(1);
  }
  return IsMeanOverSpace(graph, node);
}

// The inputs that carry activations; the others are parameters.
std::vector<ValueId> DataInputs(const Graph& graph, const Node& node) {
  if (node.as<graph::Concat>()) return node.inputs;
  if (node.as<graph::Binary>()) return {node.inputs[0], node.inputs[1]};
  if (IsProductOfValues(graph, node)) return {node.inputs[0], node.inputs[1]};
  return {node.inputs[0]};
}

class Quantizer {
 public:
  Quantizer(const Graph& graph, const std::map<ValueId, Range>& ranges)
      : graph_(graph), ranges_(ranges), result_(graph), group_(graph.value_count()) {
    std::iota(group_.begin(), group_.end(), 0);
  }

  Graph Run() {
    FindWanted();
    Unite();
    for (ValueId id = 0; id < static_cast<ValueId>(graph_.value_count()); ++id) {
      if (wanted_[static_cast<size_t>(id)]) SetQuantization(id);
    }
    QuantizeNodes();
    return std::move(result_);
  }

 private:
  bool Quantizable(ValueId id) const {
    const Value& value = graph_.value(id);
    return value.constant == nullptr && value.type == graph::DataType::kFloat32 &&
           ranges_.contains(id);
  }

  // Whether the node computes in integers from an integer input: one with weights, unless it is a
  // recurrent layer whose state has no bounds, which quantizes input and state step by step.
  bool ReadsIntegers(const Node& node) const {
    if (IsProductOfValues(graph_, node)) {
      return Quantizable(node.inputs[0]) && Quantizable(node.inputs[1]);
    }
    const auto* recurrent = node.as<graph::Recurrent>();
    if (recurrent != nullptr && !graph::HasBoundedState(*recurrent)) return false;
    return HasQuantizableWeights(graph_, node) && Quantizable(node.inputs[0]);
  }

  // A value is wanted as integers if a Conv, MatMul or Recurrent reads it, or an operation with an
  // integer kernel whose own result is wanted.
  void FindWanted() {
    wanted_.assign(graph_.value_count(), false);
    for (size_t i = graph_.nodes.size(); i-- > 0;) {
      const Node& node = graph_.nodes[i];
      const bool heavy = ReadsIntegers(node);
      const bool follows =
          HasIntegerKernel(graph_, node) && wanted_[static_cast<size_t>(node.outputs[0])];
      if (!heavy && !follows) continue;
      for (ValueId id : DataInputs(graph_, node)) {
        if (Quantizable(id)) wanted_[static_cast<size_t>(id)] = true;
      }
    }
  }

  size_t Group(ValueId id) {
    size_t root = static_cast<size_t>(id);
    while (group_[root] != root) root = group_[root] = group_[group_[root]];
    return root;
  }

  void Unite() {
    for (const Node& node : graph_.nodes) {
      if (!KeepsParams(node) || !wanted_[static_cast<size_t>(node.outputs[0])]) continue;
      for (ValueId id : DataInputs(graph_, node)) {
        if (wanted_[static_cast<size_t>(id)]) group_[Group(id)] = Group(node.outputs[0]);
      }
    }
    for (ValueId id = 0; id < static_cast<ValueId>(graph_.value_count()); ++id) {
      if (!wanted_[static_cast<size_t>(id)]) continue;
      const Range own = ranges_.at(id);
      const auto [found, fresh] = group_range_.try_emplace(Group(id), own);
      if (fresh) continue;
      found->second.low = std::min(found->second.low, own.low);
      found->second.high = std::max(found->second.high, own.high);
    }
  }

  // Computed values become integers themselves; what the caller feeds or reads stays float32 and
  // gets an integer twin.
  void SetQuantization(ValueId id) {
    const kernels::QuantParams params = AffineParams(group_range_.at(Group(id)));
    graph::Quantization quantization;
    quantization.scale = {params.scale};
    quantization.zero_point = {params.zero_point};
    const bool outside =
        std::find(graph_.inputs.begin(), graph_.inputs.end(), id) != graph_.inputs.end() ||
        std::find(graph_.outputs.begin(), graph_.outputs.end(), id) != graph_.outputs.end();
    ValueId target = id;
    if (outside) {
      Value twin;
      twin.name = result_.UniqueValueName(graph_.value(id).name + "_q");
      twin.shape = graph_.value(id).shape;
      target = result_.AddValue(std::move(twin));
      twins_[id] = target;
    }
    result_.value(target).type = graph::DataType::kUint8;
    result_.value(target).quantization = std::move(quantization);
  }

  void QuantizeNodes() {
    std::vector<Node> nodes;
    for (ValueId input : graph_.inputs) AddTwin(input, nodes);
    for (const Node& original : graph_.nodes) {
      Node node = original;
      const bool heavy = ReadsIntegers(original);
      const bool integer_result = wanted_[static_cast<size_t>(original.outputs[0])];
      if (heavy || (HasIntegerKernel(graph_, original) && integer_result)) {
        const size_t data = node.as<graph::Recurrent>() != nullptr ? 1 : node.inputs.size();
        for (size_t i = 0; i < data; ++i) {
          const auto twin = twins_.find(node.inputs[i]);
          if (twin != twins_.end()) node.inputs[i] = twin->second;
        }
      }
      if (node.as<graph::Recurrent>() != nullptr) {
        if (HasQuantizableWeights(graph_, original)) QuantizeRecurrentWeights(node);
      } else if (IsEmbedding(graph_, original)) {
        SetWeights(node, 0, QuantizeWeights(*graph_.ConstantInput(original, 0), 0));
      } else if (heavy && HasQuantizableWeights(graph_, original)) {
        QuantizeNodeWeights(node);
      }
      DropImpliedActivation(node);
      nodes.push_back(std::move(node));
      for (ValueId id : original.outputs) {
        if (id != graph::kNoValue) AddTwin(id, nodes);
      }
    }
    result_.nodes = std::move(nodes);
  }

  void AddTwin(ValueId id, std::vector<Node>& nodes) {
    const auto twin = twins_.find(id);
    if (twin == twins_.end()) return;
    Node quantize;
    quantize.operation = graph::Quantize{};
    quantize.name = result_.value(twin->second).name;
    quantize.inputs = {id};
    quantize.outputs = {twin->second};
    nodes.push_back(std::move(quantize));
  }

  // Scales are kept so large that the bias, in units of input scale * weight scale, stays an exact
  // float32 integer.
  void QuantizeNodeWeights(Node& node) {
    constexpr float kLargestBias = 4194304.0f;  // 2^22
    const int axis = WeightChannelAxis(node);
    const graph::Tensor& weights = *graph_.ConstantInput(node, 1);
    const float input_scale = result_.value(node.inputs[0]).quantization->scale[0];
    std::vector<float> least;
    if (const graph::Tensor* bias = graph_.ConstantInput(node, 2)) {
      const std::vector<float> values = bias->ToFloat();
      const int64_t channels = weights.shape()[static_cast<size_t>(axis)];
      if (static_cast<int64_t>(values.size()) == channels) {
        for (float value : values) least.push_back(std::fabs(value) / (input_scale * kLargestBias));
      }
    }
    SetWeights(node, 1, QuantizeWeights(weights, axis, least));
  }

  // The bias is added in float32 and needs no scale.
  void QuantizeRecurrentWeights(Node& node) {
    for (size_t i : WeightInputs(node)) {
      SetWeights(node, i, QuantizeWeights(*graph_.ConstantInput(node, i), WeightChannelAxis(node)));
    }
  }

  void SetWeights(Node& node, size_t i, QuantizedWeights quantized) {
    const ValueId id =
        result_.AddConstant(result_.UniqueValueName(graph_.value(node.inputs[i]).name + "_i8"),
                            std::move(quantized.tensor));
    result_.value(id).quantization = std::move(quantized.quantization);
    node.inputs[i] = id;
  }

  void DropImpliedActivation(Node& node) {
    const Value& out = result_.value(node.outputs[0]);
    if (!out.quantization.has_value()) return;
    kernels::Activation* activation = nullptr;
    if (auto* conv = node.as<graph::Conv>()) activation = &conv->activation;
    if (auto* matmul = node.as<graph::MatMul>()) activation = &matmul->activation;
    if (auto* binary = node.as<graph::Binary>()) activation = &binary->activation;
    if (activation != nullptr &&
        graph::ImpliedBySaturation(*activation, out.type, out.quantization->params())) {
      *activation = {};
    }
  }

  const Graph& graph_;
  const std::map<ValueId, Range>& ranges_;
  Graph result_;
  std::vector<bool> wanted_;             // by value of graph_
  std::vector<size_t> group_;            // values with one quantization: union-find
  std::map<size_t, Range> group_range_;  // by root
  std::map<ValueId, ValueId> twins_;     // float32 value -> its integer twin in result_
};

}  // namespace

Graph ToInt8(const Graph& graph, const std::map<ValueId, Range>& ranges) {
  return Quantizer(graph, ranges).Run();
}

}  // namespace fourfold::quantize
