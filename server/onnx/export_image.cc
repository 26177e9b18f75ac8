// Operations on images, pooling and normalization.
#include <algorithm>

#include "server/onnx/export_activation.h"
#include "server/onnx/export_families.h"

namespace fourfold::onnx {

using graph::Node;

namespace {

::onnx::NodeProto& Add(Exporter& e, const Node& node, const std::string& op_type) {
  Exporter::Names outputs;
  for (size_t i = 0; i < node.outputs.size(); ++i) {
    outputs.push_back(node.outputs[i] == graph::kNoValue ? "" : e.Write(node, i));
  }
  return e.AddNode(op_type, node.name, e.ReadAll(node), std::move(outputs));
}

}  // namespace

absl::Status ExportOf(Exporter& e, const Node& node, const graph::ConvTranspose& conv) {
  const bool active = conv.activation.kind != kernels::Activation::Kind::kNone;
  const std::string written = e.Write(node);
  const std::string sum = active ? e.Temporary(node, "inactive") : written;
  ::onnx::NodeProto& proto = e.AddNode("ConvTranspose", node.name, e.ReadAll(node), {sum});
  SetWindow(proto, conv.window);
  if (conv.groups != 1) SetInt(proto, "group", conv.groups);
  if (!conv.output_padding.empty()) SetInts(proto, "output_padding", conv.output_padding);
  if (!conv.output_shape.empty()) SetInts(proto, "output_shape", conv.output_shape);
  if (active) ExportActivation(e, node, node.name + "_activation", conv.activation, sum, written);
  return absl::OkStatus();
}

absl::Status ExportOf(Exporter& e, const Node& node, const graph::GridSample& sample) {
  static constexpr const char* kModes[] = {"linear", "nearest", "cubic"};
  static constexpr const char* kPaddings[] = {"zeros", "border", "reflection"};
  ::onnx::NodeProto& proto = Add(e, node, "GridSample");
  SetString(proto, "mode", kModes[static_cast<size_t>(sample.mode)]);
  SetString(proto, "padding_mode", kPaddings[static_cast<size_t>(sample.padding)]);
  SetInt(proto, "align_corners", sample.align_corners ? 1 : 0);
  return absl::OkStatus();
}

absl::Status ExportOf(Exporter& e, const Node& node, const graph::LocalResponseNorm& norm) {
  ::onnx::NodeProto& proto = Add(e, node, "LRN");
  SetFloat(proto, "alpha", norm.alpha);
  SetFloat(proto, "beta", norm.beta);
  SetFloat(proto, "bias", norm.bias);
  SetInt(proto, "size", norm.size);
  return absl::OkStatus();
}

absl::Status ExportOf(Exporter& e, const Node& node, const graph::LpNormalization& norm) {
  ::onnx::NodeProto& proto = Add(e, node, "LpNormalization");
  SetInt(proto, "axis", norm.axis);
  SetInt(proto, "p", norm.p);
  return absl::OkStatus();
}

absl::Status ExportOf(Exporter& e, const Node& node, const graph::MaxRoiPool& pool) {
  ::onnx::NodeProto& proto = Add(e, node, "MaxRoiPool");
  SetInts(proto, "pooled_shape", pool.pooled);
  SetFloat(proto, "spatial_scale", pool.spatial_scale);
  return absl::OkStatus();
}

absl::Status ExportOf(Exporter& e, const Node& node, const graph::MaxUnpool& unpool) {
  SetWindow(Add(e, node, "MaxUnpool"), unpool.window);
  return absl::OkStatus();
}

absl::Status ExportOf(Exporter& e, const Node& node, const graph::NonMaxSuppression& select) {
  SetInt(Add(e, node, "NonMaxSuppression"), "center_point_box", select.center_point_box ? 1 : 0);
  return absl::OkStatus();
}

absl::Status ExportOf(Exporter& e, const Node& node, const graph::Normalization& norm) {
  using Kind = graph::Normalization::Kind;
  switch (norm.kind) {
    case Kind::kRms: return Inexpressible("RMSNormalization in the opsets that we write");
    case Kind::kInstance:
      SetFloat(Add(e, node, "InstanceNormalization"), "epsilon", norm.epsilon);
      return absl::OkStatus();
    case Kind::kGroup: {
      ::onnx::NodeProto& proto = Add(e, node, "GroupNormalization");
      SetFloat(proto, "epsilon", norm.epsilon);
      SetInt(proto, "num_groups", norm.groups);
      return absl::OkStatus();
    }
    case Kind::kLayer: break;
  }
  const std::string scale = node.input(1) == graph::kNoValue ? "" : e.Read(node, 1);
  Exporter::Names inputs = e.ReadAll(node);
  if (scale.empty()) {  // ONNX wants one
    inputs.resize(std::max<size_t>(inputs.size(), 2));
    inputs[1] = e.AddScalar(node, "scale", 1.0f);
  }
  Exporter::Names outputs;
  for (size_t i = 0; i < node.outputs.size(); ++i) {
    outputs.push_back(node.outputs[i] == graph::kNoValue ? "" : e.Write(node, i));
  }
  ::onnx::NodeProto& proto =
      e.AddNode("LayerNormalization", node.name, std::move(inputs), std::move(outputs));
  SetInt(proto, "axis", norm.axis);
  SetFloat(proto, "epsilon", norm.epsilon);
  return absl::OkStatus();
}

absl::Status ExportOf(Exporter& e, const Node& node, const graph::Pool& pool) {
  using Kind = graph::Pool::Kind;
  const std::string kind = pool.kind == Kind::kMax       ? "MaxPool"
                           : pool.kind == Kind::kAverage ? "AveragePool"
                                                         : "LpPool";
  ::onnx::NodeProto& proto = Add(e, node, pool.global ? "Global" + kind : kind);
  if (pool.kind == Kind::kLp) SetInt(proto, "p", pool.p);
  if (pool.global) return absl::OkStatus();
  graph::Window window = pool.window;
  // Not an attribute of older forms.
  const bool dilated = std::any_of(window.dilations.begin(), window.dilations.end(),
                                   [](int64_t dilation) { return dilation != 1; });
  if (pool.kind != Kind::kMax && !dilated) window.dilations.clear();
  SetWindow(proto, window);
  if (pool.ceil_mode) SetInt(proto, "ceil_mode", 1);
  if (pool.kind == Kind::kAverage && pool.count_include_pad) {
    SetInt(proto, "count_include_pad", 1);
  }
  if (pool.column_major) SetInt(proto, "storage_order", 1);
  return absl::OkStatus();
}

absl::Status ExportOf(Exporter& e, const Node& node, const graph::Resize& resize) {
  using Coordinates = graph::Resize::Coordinates;
  static constexpr const char* kModes[] = {"nearest", "linear", "cubic"};
  static constexpr const char* kCoordinates[] = {
      "half_pixel",           "pytorch_half_pixel", "align_corners",       "asymmetric",
      "half_pixel_symmetric", "tf_crop_and_resize", "tf_half_pixel_for_nn"};
  static constexpr const char* kNearest[] = {"round_prefer_floor", "round_prefer_ceil", "floor",
                                             "ceil"};
  static constexpr const char* kAspects[] = {"stretch", "not_larger", "not_smaller"};
  const auto read = [&](size_t i) {
    return node.input(i) == graph::kNoValue ? std::string() : e.Read(node, i);
  };
  ::onnx::NodeProto& proto =
      e.AddNode("Resize", node.name, {read(0), read(3), read(1), read(2)}, {e.Write(node)});
  SetString(proto, "mode", kModes[static_cast<size_t>(resize.mode)]);
  SetString(proto, "coordinate_transformation_mode",
            kCoordinates[static_cast<size_t>(resize.coordinates)]);
  SetString(proto, "nearest_mode", kNearest[static_cast<size_t>(resize.nearest)]);
  if (resize.mode == graph::Resize::Mode::kCubic) {
    SetFloat(proto, "cubic_coeff_a", resize.cubic_coefficient);
  }
  if (resize.exclude_outside) SetInt(proto, "exclude_outside", 1);
  if (resize.coordinates == Coordinates::kTfCropAndResize) {
    SetFloat(proto, "extrapolation_value", resize.extrapolation_value);
  }
  if (resize.antialias) SetInt(proto, "antialias", 1);
  if (!resize.axes.empty()) SetInts(proto, "axes", resize.axes);
  if (resize.aspect != graph::Resize::Aspect::kStretch) {
    SetString(proto, "keep_aspect_ratio_policy", kAspects[static_cast<size_t>(resize.aspect)]);
  }
  return absl::OkStatus();
}

absl::Status ExportOf(Exporter& e, const Node& node, const graph::RoiAlign& align) {
  ::onnx::NodeProto& proto = Add(e, node, "RoiAlign");
  SetString(proto, "mode", align.maximum ? "max" : "avg");
  SetString(proto, "coordinate_transformation_mode",
            align.half_pixel ? "half_pixel" : "output_half_pixel");
  SetInt(proto, "output_height", align.output_height);
  SetInt(proto, "output_width", align.output_width);
  SetInt(proto, "sampling_ratio", align.sampling_ratio);
  SetFloat(proto, "spatial_scale", align.spatial_scale);
  return absl::OkStatus();
}

}  // namespace fourfold::onnx
