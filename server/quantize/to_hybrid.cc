#include <algorithm>

#include "absl/strings/str_cat.h"
#include "server/quantize/precision.h"
#include "server/quantize/weights.h"

namespace fourfold::quantize {
namespace {

using graph::Node;
using graph::ValueId;

constexpr size_t kDynamicInput = 4;  // of Conv and MatMul: parameters of x; then those of rhs

struct Dynamic {
  ValueId quantized;
  ValueId params;
};

}  // namespace

graph::Graph ToHybrid(const graph::Graph& graph) {
  graph::Graph result = graph;
  std::vector<Node> nodes;
  std::map<ValueId, Dynamic> dynamic;  // one quantization serves all readers of a value
  std::map<std::pair<ValueId, int>, ValueId> quantized_weights;
  const auto quantize_weights = [&](Node& node, size_t input, int axis) {
    const auto [found, fresh] = quantized_weights.try_emplace({node.inputs[input], axis});
    if (fresh) {
      QuantizedWeights weights = QuantizeWeights(*graph.value(node.inputs[input]).constant, axis);
      found->second =
          result.AddConstant(result.UniqueValueName(graph.value(node.inputs[input]).name + "_i8"),
                             std::move(weights.tensor));
      result.value(found->second).quantization = std::move(weights.quantization);
    }
    node.inputs[input] = found->second;
  };
  // Input `input` as integers, its parameters behind it.
  const auto quantize_data = [&](Node& node, size_t input) {
    const ValueId x = node.inputs[input];
    if (!dynamic.contains(x)) {
      graph::Value quantized;
      quantized.name = result.UniqueValueName(graph.value(x).name + "_q");
      quantized.type = graph::DataType::kUint8;
      quantized.shape = graph.value(x).shape;
      graph::Value params;
      params.name = result.UniqueValueName(graph.value(x).name + "_qp");
      params.type = graph::DataType::kUint8;
      Node quantize;
      quantize.operation = graph::DynamicQuantize{true};
      dynamic[x] = {result.AddValue(std::move(quantized)), result.AddValue(std::move(params))};
      quantize.name = result.UniqueNodeName(absl::StrCat(node.name, "_quantize"));
      quantize.inputs = {x};
      quantize.outputs = {dynamic[x].quantized, dynamic[x].params};
      nodes.push_back(std::move(quantize));
    }
    node.inputs.resize(std::max(node.inputs.size(), kDynamicInput + input + 1), graph::kNoValue);
    node.inputs[input] = dynamic[x].quantized;
    node.inputs[kDynamicInput + input] = dynamic[x].params;
  };
  for (Node node : graph.nodes) {
    if (IsProductOfValues(graph, node)) {
      for (size_t i : {0, 1}) quantize_data(node, i);
    } else if (IsEmbedding(graph, node)) {
      quantize_weights(node, 0, 0);
    } else if (HasQuantizableWeights(graph, node) &&
               graph.value(node.inputs[0]).type == graph::DataType::kFloat32 &&
               graph.value(node.inputs[0]).constant == nullptr) {
      const int axis = WeightChannelAxis(node);
      for (size_t i : WeightInputs(node)) quantize_weights(node, i, axis);
      // A recurrent layer quantizes each step of its input by itself.
      if (node.as<graph::Recurrent>() == nullptr) quantize_data(node, 0);
    }
    nodes.push_back(std::move(node));
  }
  result.nodes = std::move(nodes);
  return result;
}

}  // namespace fourfold::quantize
