#include "server/quantize/precision.h"
#include "server/quantize/weights.h"

namespace fourfold::quantize {
namespace {

using graph::Node;
using graph::ValueId;

constexpr size_t kDynamicInput = 4;  // of Conv and MatMul

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
  for (Node node : graph.nodes) {
    if (!HasQuantizableWeights(graph, node) ||
        graph.value(node.inputs[0]).type != graph::DataType::kFloat32 ||
        graph.value(node.inputs[0]).constant != nullptr) {
      nodes.push_back(std::move(node));
      continue;
    }
    const ValueId x = node.inputs[0];
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
      quantize.name = node.name + "_quantize";
      quantize.inputs = {x};
      quantize.outputs = {dynamic[x].quantized, dynamic[x].params};
      nodes.push_back(std::move(quantize));
    }
    const int axis = WeightChannelAxis(node);
    const std::pair key(node.inputs[1], axis);
    if (!quantized_weights.contains(key)) {
      QuantizedWeights weights = QuantizeWeights(*graph.value(node.inputs[1]).constant, axis);
      const ValueId id =
          result.AddConstant(result.UniqueValueName(graph.value(node.inputs[1]).name + "_i8"),
                             std::move(weights.tensor));
      result.value(id).quantization = std::move(weights.quantization);
      quantized_weights[key] = id;
    }
    node.inputs.resize(kDynamicInput + 1, graph::kNoValue);
    node.inputs[0] = dynamic[x].quantized;
    node.inputs[1] = quantized_weights[key];
    node.inputs[kDynamicInput] = dynamic[x].params;
    nodes.push_back(std::move(node));
  }
  result.nodes = std::move(nodes);
  return result;
}

}  // namespace fourfold::quantize
