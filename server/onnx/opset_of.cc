#include "server/onnx/opset_of.h"

#include <algorithm>

#include "server/graph/contents.h"

namespace fourfold::onnx {
namespace {

bool IsDilated(const graph::Window& window) {
  return std::any_of(window.dilations.begin(), window.dilations.end(),
                     [](int64_t dilation) { return dilation != 1; });
}

int64_t Of(const graph::Normalization& norm) {
  switch (norm.kind) {
    case graph::Normalization::Kind::kLayer: return 17;
    case graph::Normalization::Kind::kGroup: return 21;  // with a scale per channel
    default: return kExportOpset;
  }
}

int64_t Of(const graph::Pool& pool) {
  using Kind = graph::Pool::Kind;
  if (pool.kind == Kind::kAverage && IsDilated(pool.window)) return 19;
  const bool newer = pool.ceil_mode || IsDilated(pool.window);
  return pool.kind == Kind::kLp && newer ? 18 : kExportOpset;
}

int64_t Of(const graph::Resize& resize) {
  if (resize.coordinates == graph::Resize::Coordinates::kHalfPixelSymmetric) return 19;
  const bool newer =
      resize.antialias || !resize.axes.empty() || resize.aspect != graph::Resize::Aspect::kStretch;
  return newer ? 18 : kExportOpset;
}

}  // namespace

int64_t OpsetOf(const graph::Operation& operation) {
  if (const auto* norm = std::get_if<graph::Normalization>(&operation)) return Of(*norm);
  if (const auto* pool = std::get_if<graph::Pool>(&operation)) return Of(*pool);
  if (const auto* resize = std::get_if<graph::Resize>(&operation)) return Of(*resize);
  if (std::holds_alternative<graph::GridSample>(operation)) return 20;  // its modes' new names
  if (std::holds_alternative<graph::RoiAlign>(operation)) return 16;
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
  if (const auto* binary = std::get_if<graph::Binary>(&operation)) {
    return binary->operation >= graph::Binary::Operation::kBitwiseAnd ? 18 : kExportOpset;
  }
  if (const auto* eltwise = std::get_if<graph::Eltwise>(&operation)) {
    return eltwise->function == graph::Eltwise::Function::kBitwiseNot ? 18 : kExportOpset;
  }
  if (const auto* reduce = std::get_if<graph::Reduce>(&operation)) {
    return reduce->noop_with_empty_axes && reduce->operation != graph::Reduce::Operation::kSum
               ? 18
               : kExportOpset;
  }
  if (const auto* dft = std::get_if<graph::Dft>(&operation)) return dft->axis == -2 ? 20 : 17;
  if (std::holds_alternative<graph::MelWeights>(operation) ||
      std::holds_alternative<graph::Stft>(operation) ||
      std::holds_alternative<graph::WindowFunction>(operation)) {
    return 17;
  }
  if (std::holds_alternative<graph::Trilu>(operation)) return 14;
  return kExportOpset;
}

int64_t OpsetOf(const graph::Graph& graph) {
  int64_t opset = kExportOpset;
  for (const graph::Node& node : graph.nodes) {
    opset = std::max(opset, OpsetOf(node.operation));
    const bool pads_axes = node.as<graph::Pad>() != nullptr && node.input(3) != graph::kNoValue;
    if (pads_axes) opset = std::max<int64_t>(opset, 18);
    // Axes that are not constant are an input, of sums since opset 13.
    const auto* reduce = node.as<graph::Reduce>();
    if (reduce != nullptr && reduce->operation != graph::Reduce::Operation::kSum &&
        node.input(1) != graph::kNoValue && graph.ConstantInput(node, 1) == nullptr) {
      opset = std::max<int64_t>(opset, 18);
    }
    for (const auto& body : graph::Bodies(node.operation)) opset = std::max(opset, OpsetOf(*body));
  }
  return opset;
}

}  // namespace fourfold::onnx
