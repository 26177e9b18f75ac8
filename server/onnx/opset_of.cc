#include "server/onnx/opset_of.h"

#include <algorithm>

#include "server/graph/contents.h"

namespace fourfold::onnx {

int64_t OpsetOf(const graph::Operation& operation) {
  if (const auto* scatter = std::get_if<graph::ScatterElements>(&operation)) {
    switch (scatter->reduction) {
      case graph::ScatterReduction::kNone: return kExportOpset;
      case graph::ScatterReduction::kAdd:
      case graph::ScatterReduction::kMul: return 16;
      default: return 18;
    }
  }
  if (const auto* scatter = std::get_if<graph::ScatterNd>(&operation)) {
    switch (scatter->reduction) {
      case graph::ScatterReduction::kNone: return kExportOpset;
      case graph::ScatterReduction::kAdd:
      case graph::ScatterReduction::kMul: return 16;
      default: return 18;
    }
  }
  if (const auto* pad = std::get_if<graph::Pad>(&operation)) {
    return pad->mode == graph::Pad::Mode::kWrap ? 19 : kExportOpset;
  }
  if (const auto* reshape = std::get_if<graph::Reshape>(&operation)) {
    return reshape->allow_zero ? 14 : kExportOpset;
  }
  if (std::holds_alternative<graph::Col2Im>(operation)) return 18;
  if (std::holds_alternative<graph::Trilu>(operation)) return 14;
  return kExportOpset;
}

int64_t OpsetOf(const graph::Graph& graph) {
  int64_t opset = kExportOpset;
  for (const graph::Node& node : graph.nodes) {
    opset = std::max(opset, OpsetOf(node.operation));
    const bool pads_axes = node.as<graph::Pad>() != nullptr && node.input(3) != graph::kNoValue;
    if (pads_axes) opset = std::max<int64_t>(opset, 18);
    for (const auto& body : graph::Bodies(node.operation)) opset = std::max(opset, OpsetOf(*body));
  }
  return opset;
}

}  // namespace fourfold::onnx
