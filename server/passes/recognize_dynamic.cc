#include "server/graph/infer_shapes.h"
#include "server/passes/absorb_quantization.h"
#include "server/passes/rewrite.h"

namespace fourfold::passes {

using graph::Binary;
using graph::DataType;
using graph::Graph;
using graph::kNoValue;
using graph::Node;
using graph::Uses;
using graph::Value;
using graph::ValueId;

namespace {

// What a dynamically quantized product looks like in files of ONNX Runtime's quantizer:
//
//   DynamicQuantizeLinear(x) -> stored, scale, zero
//   MatMulInteger or ConvInteger(stored, weights, zero, weights' zero) -> Cast to float32
//   Mul(scale, weights' scale) -> factor;  Mul(cast, factor) -> result
struct Match {
  size_t dynamic, product, cast, factor, result;
  ValueId weights_scale;
};

class Matcher {
 public:
  explicit Matcher(const Graph& graph) : graph_(graph), uses_(graph) {}

  std::optional<Match> At(size_t index) const {
    const Node& product = graph_.nodes[index];
    Match match{};
    match.product = index;
    const int dynamic = uses_.producer(product.inputs[0]);
    if (dynamic < 0 || product.input(2) == kNoValue) return std::nullopt;
    match.dynamic = static_cast<size_t>(dynamic);
    const Node& quantize = graph_.nodes[match.dynamic];
    const auto* how = quantize.as<graph::DynamicQuantize>();
    if (how == nullptr || how->per_sample || quantize.outputs.size() != 3 ||
        quantize.outputs[0] != product.inputs[0] || quantize.outputs[2] != product.inputs[2] ||
        graph_.value(product.inputs[1]).constant == nullptr ||
        (product.input(3) != kNoValue && graph_.value(product.inputs[3]).constant == nullptr)) {
      return std::nullopt;
    }
    const std::optional<size_t> cast = OnlyReader(product.outputs[0]);
    if (!cast || graph_.nodes[*cast].as<graph::Cast>() == nullptr ||
        graph_.nodes[*cast].as<graph::Cast>()->to != DataType::kFloat32) {
      return std::nullopt;
    }
    match.cast = *cast;
    const ValueId numbers = graph_.nodes[*cast].outputs[0];
    const std::optional<size_t> result = OnlyReader(numbers);
    if (!result || !IsPlainProduct(graph_.nodes[*result])) return std::nullopt;
    match.result = *result;
    const int factor = uses_.producer(Other(graph_.nodes[*result], numbers));
    if (factor < 0 || !IsPlainProduct(graph_.nodes[static_cast<size_t>(factor)]))
      return std::nullopt;
    match.factor = static_cast<size_t>(factor);
    const Node& scales = graph_.nodes[match.factor];
    const ValueId scale = quantize.outputs[1];
    if (scales.inputs[0] != scale && scales.inputs[1] != scale) return std::nullopt;
    match.weights_scale = Other(scales, scale);
    if (!ScalesChannels(product, match.weights_scale)) return std::nullopt;
    return match;
  }

 private:
  static ValueId Other(const Node& node, ValueId id) {
    return node.inputs[node.inputs[0] == id ? 1 : 0];
  }

  static bool IsPlainProduct(const Node& node) {
    const auto* binary = node.as<Binary>();
    return binary != nullptr && binary->operation == Binary::Operation::kMul &&
           !HasActivation(binary->activation) && node.inputs[0] != node.inputs[1];
  }

  std::optional<size_t> OnlyReader(ValueId id) const {
    if (!uses_.has_single_use(id)) return std::nullopt;
    return static_cast<size_t>(uses_.consumers(id)[0]);
  }

  // One number, or one per output channel in the place where it is multiplied with.
  bool ScalesChannels(const Node& product, ValueId scale) const {
    const auto& constant = graph_.value(scale).constant;
    if (constant == nullptr || constant->type() != DataType::kFloat32) return false;
    if (constant->count() == 1) return true;
    const graph::Shape& weights = graph_.value(product.inputs[1]).constant->shape();
    const graph::Shape& shape = constant->shape();
    if (product.as<graph::IntegerMatMul>() != nullptr) {
      return !weights.empty() && shape.back() == constant->count() &&
             weights.back() == constant->count();
    }
    const size_t behind = weights.size() - 2;
    return shape.size() > behind && shape[shape.size() - 1 - behind] == constant->count() &&
           weights.front() == constant->count();
  }

  const Graph& graph_;
  const Uses uses_;
};

}  // namespace

absl::Status RecognizeDynamic(Graph& graph) {
  std::vector<Match> matches;
  const Matcher matcher(graph);
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    if (!graph.nodes[i].as<graph::IntegerMatMul>() && !graph.nodes[i].as<graph::IntegerConv>())
      continue;
    if (const auto match = matcher.At(i)) matches.push_back(*match);
  }
  if (matches.empty()) return absl::OkStatus();
  NewNames names(graph);
  std::vector<bool> erased(graph.nodes.size(), false);
  std::vector<std::vector<Node>> instead(graph.nodes.size());
  for (const Match& match : matches) {
    const Node product = graph.nodes[match.product];
    const Node& quantize = graph.nodes[match.dynamic];
    const auto value = [&](const char* suffix) {
      Value v;
      v.name = names.Value(product.name + suffix);
      return graph.AddValue(std::move(v));
    };
    const auto* conv = product.as<graph::IntegerConv>();
    const graph::TensorPtr scale = graph.value(match.weights_scale).constant;
    const graph::Shape flat = scale->count() == 1 ? graph::Shape{} : graph::Shape{scale->count()};
    const ValueId weights_scale =
        graph.AddConstant(names.Value(product.name + "_scale"),
                          graph::Tensor::Of(DataType::kFloat32, flat, scale->ToFloat()));
    const ValueId x = value("_x"), weights = value("_weights");
    graph.value(x).shape = graph.value(quantize.inputs[0]).shape;
    Node left{names.Node(product.name + "_dequantize"), graph::Dequantize{}, quantize.outputs, {x}};
    Node right{names.Node(product.name + "_weights"),
               graph::Dequantize{conv != nullptr ? 0 : -1},
               {product.inputs[1], weights_scale},
               {weights}};
    if (product.input(3) != kNoValue) right.inputs.push_back(product.inputs[3]);
    Node real{product.name, graph::MatMul{}, {x, weights}, graph.nodes[match.result].outputs};
    if (conv != nullptr) real.operation = graph::Conv{conv->window, conv->groups, {}};
    instead[match.result] = {std::move(left), std::move(right), std::move(real)};
    erased[match.product] = erased[match.cast] = erased[match.result] = true;
  }
  std::vector<Node> nodes;
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    for (Node& node : instead[i]) nodes.push_back(std::move(node));
    if (!erased[i]) nodes.push_back(std::move(graph.nodes[i]));
  }
  graph.nodes = std::move(nodes);
  graph::RemoveDeadNodes(graph);  // factors that nothing reads any more
  return absl::OkStatus();
}

}  // namespace fourfold::passes
