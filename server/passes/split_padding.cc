#include <algorithm>

#include "server/passes/passes.h"

namespace fourfold::passes {
namespace {

using graph::Node;
using graph::ValueId;

// Whether some window of the convolution lies wholly in its explicit padding.
bool HasWindowInPadding(const graph::Window& window, const graph::Shape& filter) {
  const size_t space = filter.size() - 2;
  if (window.auto_pad != graph::AutoPad::kExplicit || window.pads.size() != 2 * space) return false;
  for (size_t i = 0; i < space; ++i) {
    const int64_t dilation = window.dilations.empty() ? 1 : window.dilations[i];
    const int64_t extent = (filter[i + 2] - 1) * dilation + 1;
    if (std::max(window.pads[i], window.pads[space + i]) >= extent) return true;
  }
  return false;
}

}  // namespace

absl::Status SplitPadding(graph::Graph& graph) {
  std::vector<Node> nodes;
  for (Node& node : graph.nodes) {
    auto* conv = node.as<graph::Conv>();
    const graph::Tensor* weights = conv == nullptr ? nullptr : graph.ConstantInput(node, 1);
    constexpr size_t kDynamic = 4;
    if (weights == nullptr || node.input(kDynamic) != graph::kNoValue ||
        !HasWindowInPadding(conv->window, weights->shape())) {
      nodes.push_back(std::move(node));
      continue;
    }
    const size_t space = weights->shape().size() - 2;
    std::vector<int64_t> pads(2 * (space + 2), 0);
    for (size_t i = 0; i < space; ++i) {
      pads[2 + i] = conv->window.pads[i];
      pads[space + 4 + i] = conv->window.pads[space + i];
    }
    conv->window.pads.assign(2 * space, 0);

    const ValueId x = node.inputs[0];
    const auto rank = static_cast<int64_t>(pads.size());
    graph::Value padded;
    padded.name = graph.UniqueValueName(graph.value(x).name + "_padded");
    padded.type = graph.value(x).type;
    padded.quantization = graph.value(x).quantization;
    Node pad;
    pad.name = graph.UniqueNodeName(node.name + "_pad");
    pad.operation = graph::Pad{};
    pad.inputs = {x, graph.AddConstant(graph.UniqueValueName(node.name + "_pads"),
                                       graph::Tensor::Of(graph::DataType::kInt64, {rank}, pads))};
    pad.outputs = {graph.AddValue(std::move(padded))};
    node.inputs[0] = pad.outputs[0];
    nodes.push_back(std::move(pad));
    nodes.push_back(std::move(node));
  }
  graph.nodes = std::move(nodes);
  return absl::OkStatus();
}

}  // namespace fourfold::passes
