// Comparisons, operations along an axis, sums of products, losses and signals.

#include <vector>

#include "server/onnx/element_type.h"
#include "server/onnx/export_families.h"
#include "server/onnx/exporter.h"

namespace fourfold::onnx {
namespace {

using graph::Node;

::onnx::NodeProto& Add(Exporter& e, const Node& node, const std::string& op_type) {
  return e.AddNode(op_type, node.name, e.ReadAll(node), {e.Write(node)});
}

// Softmax and its like: over one axis, or as before opset 13 over all from `axis` on as one.
absl::Status AddAlongAxis(Exporter& e, const Node& node, const char* op_type, int64_t axis,
                          bool flatten) {
  const auto& shape = e.graph().value(node.inputs[0]).shape;
  const bool last = axis == -1 || (shape && axis == static_cast<int64_t>(shape->size()) - 1);
  const std::string x = e.Read(node, 0);
  if (!flatten || last) {
    SetInt(e.AddNode(op_type, node.name, {x}, {e.Write(node)}), "axis", axis);
    return absl::OkStatus();
  }
  const std::string flat = e.Temporary(node, "flat"), result = e.Temporary(node, "flat_result"),
                    dims = e.Temporary(node, "dims");
  SetInt(e.AddNode("Flatten", node.name + "_flatten", {x}, {flat}), "axis", axis);
  SetInt(e.AddNode(op_type, node.name, {flat}, {result}), "axis", -1);
  e.AddNode("Shape", node.name + "_shape", {x}, {dims});
  e.AddNode("Reshape", node.name + "_reshape", {result, dims}, {e.Write(node)});
  return absl::OkStatus();
}

}  // namespace

absl::Status ExportOf(Exporter& e, const Node& node, const graph::ArgReduce& reduce) {
  ::onnx::NodeProto& proto = Add(e, node, reduce.minimum ? "ArgMin" : "ArgMax");
  SetInt(proto, "axis", reduce.axis);
  if (!reduce.keep_dims) SetInt(proto, "keepdims", 0);
  if (reduce.select_last) SetInt(proto, "select_last_index", 1);
  return absl::OkStatus();
}

absl::Status ExportOf(Exporter& e, const Node& node, const graph::Compare& compare) {
  static constexpr const char* kNames[] = {
      "Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "And", "Or", "Xor"};
  Add(e, node, kNames[static_cast<size_t>(compare.operation)]);
  return absl::OkStatus();
}

absl::Status ExportOf(Exporter& e, const Node& node, const graph::CumSum& sum) {
  ::onnx::NodeProto& proto = Add(e, node, "CumSum");
  if (sum.exclusive) SetInt(proto, "exclusive", 1);
  if (sum.reverse) SetInt(proto, "reverse", 1);
  return absl::OkStatus();
}

absl::Status ExportOf(Exporter& e, const Node& node, const graph::Det&) {
  Add(e, node, "Det");
  return absl::OkStatus();
}

absl::Status ExportOf(Exporter& e, const Node& node, const graph::Dft& dft) {
  // The axis is an attribute until opset 19; one that is an input came from opset 20 or later,
  // whose default is -2.
  const bool by_input = e.opset() >= 20;
  Exporter::Names inputs = e.ReadAll(node);
  inputs.resize(3);
  if (by_input && inputs[2].empty()) {
    inputs[2] = e.AddInitializer(
        node.name + "_axis",
        *graph::Tensor::Of(graph::DataType::kInt64, {}, std::vector<int64_t>{dft.axis}));
  }
  ::onnx::NodeProto& proto = e.AddNode("DFT", node.name, inputs, {e.Write(node)});
  if (!by_input) SetInt(proto, "axis", dft.axis);
  if (dft.inverse) SetInt(proto, "inverse", 1);
  if (dft.onesided) SetInt(proto, "onesided", 1);
  return absl::OkStatus();
}

absl::Status ExportOf(Exporter& e, const Node& node, const graph::Einsum& einsum) {
  SetString(Add(e, node, "Einsum"), "equation", einsum.equation);
  return absl::OkStatus();
}

absl::Status ExportOf(Exporter& e, const Node& node, const graph::EyeLike& eye) {
  ::onnx::NodeProto& proto = Add(e, node, "EyeLike");
  SetInt(proto, "dtype", OnnxElementType(eye.to));
  if (eye.k != 0) SetInt(proto, "k", eye.k);
  return absl::OkStatus();
}

absl::Status ExportOf(Exporter& e, const Node& node, const graph::Hardmax& hardmax) {
  return AddAlongAxis(e, node, "Hardmax", hardmax.axis, hardmax.flatten);
}

absl::Status ExportOf(Exporter& e, const Node& node, const graph::MelWeights& mel) {
  SetInt(Add(e, node, "MelWeightMatrix"), "output_datatype", OnnxElementType(mel.to));
  return absl::OkStatus();
}

absl::Status ExportOf(Exporter& e, const Node& node, const graph::NegativeLogLikelihood& loss) {
  static constexpr const char* kReductions[] = {"none", "mean", "sum"};
  ::onnx::NodeProto& proto = Add(e, node, "NegativeLogLikelihoodLoss");
  SetString(proto, "reduction", kReductions[static_cast<size_t>(loss.reduction)]);
  if (loss.ignore_index) SetInt(proto, "ignore_index", *loss.ignore_index);
  return absl::OkStatus();
}

absl::Status ExportOf(Exporter& e, const Node& node, const graph::PRelu&) {
  Add(e, node, "PRelu");
  return absl::OkStatus();
}

absl::Status ExportOf(Exporter& e, const Node& node, const graph::Range&) {
  Add(e, node, "Range");
  return absl::OkStatus();
}

absl::Status ExportOf(Exporter& e, const Node& node, const graph::Softmax& softmax) {
  return AddAlongAxis(e, node, softmax.logarithm ? "LogSoftmax" : "Softmax", softmax.axis,
                      softmax.flatten);
}

absl::Status ExportOf(Exporter& e, const Node& node, const graph::Stft& stft) {
  SetInt(Add(e, node, "STFT"), "onesided", stft.onesided ? 1 : 0);
  return absl::OkStatus();
}

absl::Status ExportOf(Exporter& e, const Node& node, const graph::Where&) {
  Add(e, node, "Where");
  return absl::OkStatus();
}

absl::Status ExportOf(Exporter& e, const Node& node, const graph::WindowFunction& window) {
  static constexpr const char* kNames[] = {"HannWindow", "HammingWindow", "BlackmanWindow"};
  ::onnx::NodeProto& proto = Add(e, node, kNames[static_cast<size_t>(window.kind)]);
  SetInt(proto, "output_datatype", OnnxElementType(window.to));
  if (!window.periodic) SetInt(proto, "periodic", 0);
  return absl::OkStatus();
}

}  // namespace fourfold::onnx
