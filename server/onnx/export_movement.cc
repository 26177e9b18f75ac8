#include "server/onnx/export_movement.h"

#include <string>
#include <vector>

namespace fourfold::onnx {

using graph::Node;

namespace {

::onnx::NodeProto& Add(Exporter& e, const Node& node, const std::string& op_type) {
  Exporter::Names outputs;
  for (size_t i = 0; i < node.outputs.size(); ++i) outputs.push_back(e.Write(node, i));
  while (outputs.size() > 1 && outputs.back().empty()) outputs.pop_back();
  return e.AddNode(op_type, node.name, e.ReadAll(node), std::move(outputs));
}

void SetReduction(::onnx::NodeProto& proto, graph::ScatterReduction reduction) {
  static constexpr const char* kNames[] = {"none", "add", "mul", "max", "min"};
  if (reduction == graph::ScatterReduction::kNone) return;
  SetString(proto, "reduction", kNames[static_cast<size_t>(reduction)]);
}

}  // namespace

absl::Status ExportMovement(Exporter& e, const Node& node, const graph::Col2Im& op) {
  ::onnx::NodeProto& proto = Add(e, node, "Col2Im");
  if (!op.window.dilations.empty()) SetInts(proto, "dilations", op.window.dilations);
  if (!op.window.pads.empty()) SetInts(proto, "pads", op.window.pads);
  if (!op.window.strides.empty()) SetInts(proto, "strides", op.window.strides);
  return absl::OkStatus();
}

absl::Status ExportMovement(Exporter& e, const Node& node, const graph::Compress& op) {
  ::onnx::NodeProto& proto = Add(e, node, "Compress");
  if (op.axis) SetInt(proto, "axis", *op.axis);
  return absl::OkStatus();
}

absl::Status ExportMovement(Exporter& e, const Node& node, const graph::DepthToSpace& op) {
  ::onnx::NodeProto& proto = Add(e, node, "DepthToSpace");
  SetInt(proto, "blocksize", op.block);
  SetString(proto, "mode", op.column_row_depth ? "CRD" : "DCR");
  return absl::OkStatus();
}

absl::Status ExportMovement(Exporter& e, const Node& node, const graph::GatherElements& op) {
  SetInt(Add(e, node, "GatherElements"), "axis", op.axis);
  return absl::OkStatus();
}

absl::Status ExportMovement(Exporter& e, const Node& node, const graph::GatherNd& op) {
  SetInt(Add(e, node, "GatherND"), "batch_dims", op.batch_dims);
  return absl::OkStatus();
}

absl::Status ExportMovement(Exporter& e, const Node& node, const graph::NonZero&) {
  Add(e, node, "NonZero");
  return absl::OkStatus();
}

absl::Status ExportMovement(Exporter& e, const Node& node, const graph::OneHot& op) {
  SetInt(Add(e, node, "OneHot"), "axis", op.axis);
  return absl::OkStatus();
}

absl::Status ExportMovement(Exporter& e, const Node& node, const graph::Pad& op) {
  static constexpr const char* kModes[] = {"constant", "reflect", "edge", "wrap"};
  SetString(Add(e, node, "Pad"), "mode", kModes[static_cast<size_t>(op.mode)]);
  return absl::OkStatus();
}

absl::Status ExportMovement(Exporter& e, const Node& node, const graph::ReverseSequence& op) {
  ::onnx::NodeProto& proto = Add(e, node, "ReverseSequence");
  SetInt(proto, "batch_axis", op.batch_axis);
  SetInt(proto, "time_axis", op.time_axis);
  return absl::OkStatus();
}

absl::Status ExportMovement(Exporter& e, const Node& node, const graph::ScatterElements& op) {
  ::onnx::NodeProto& proto = Add(e, node, "ScatterElements");
  SetInt(proto, "axis", op.axis);
  SetReduction(proto, op.reduction);
  return absl::OkStatus();
}

absl::Status ExportMovement(Exporter& e, const Node& node, const graph::ScatterNd& op) {
  SetReduction(Add(e, node, "ScatterND"), op.reduction);
  return absl::OkStatus();
}

absl::Status ExportMovement(Exporter& e, const Node& node, const graph::SizeOf&) {
  Add(e, node, "Size");
  return absl::OkStatus();
}

absl::Status ExportMovement(Exporter& e, const Node& node, const graph::SpaceToDepth& op) {
  SetInt(Add(e, node, "SpaceToDepth"), "blocksize", op.block);
  return absl::OkStatus();
}

absl::Status ExportMovement(Exporter& e, const Node& node, const graph::Tile&) {
  Add(e, node, "Tile");
  return absl::OkStatus();
}

absl::Status ExportMovement(Exporter& e, const Node& node, const graph::TopK& op) {
  ::onnx::NodeProto& proto = Add(e, node, "TopK");
  SetInt(proto, "axis", op.axis);
  SetInt(proto, "largest", op.largest ? 1 : 0);
  SetInt(proto, "sorted", op.sorted ? 1 : 0);
  return absl::OkStatus();
}

absl::Status ExportMovement(Exporter& e, const Node& node, const graph::Trilu& op) {
  SetInt(Add(e, node, "Trilu"), "upper", op.upper ? 1 : 0);
  return absl::OkStatus();
}

absl::Status ExportMovement(Exporter& e, const Node& node, const graph::Unique& op) {
  ::onnx::NodeProto& proto = Add(e, node, "Unique");
  if (op.axis) SetInt(proto, "axis", *op.axis);
  SetInt(proto, "sorted", op.sorted ? 1 : 0);
  return absl::OkStatus();
}

}  // namespace fourfold::onnx
