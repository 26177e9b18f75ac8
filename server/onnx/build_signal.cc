#include "absl/status/statusor.h"
#include "server/base/status_macros.h"
#include "server/onnx/builders.h"

// Signals, and products of matrices and of more.
namespace fourfold::onnx {
namespace {

graph::Dft DftOf(NodeBuilder& node) {
  graph::Dft dft;
  dft.inverse = node.attributes().Int("inverse", 0) != 0;
  dft.onesided = node.attributes().Int("onesided", 0) != 0;
  return dft;
}

}  // namespace

absl::Status BuildDet(NodeBuilder& node) {
  node.Emit(graph::Det{}, {node.input(0)});
  return absl::OkStatus();
}

absl::Status BuildEinsum(NodeBuilder& node) {
  node.attributes().Require("equation");
  node.Emit(graph::Einsum{.equation = node.attributes().String("equation", "")}, node.inputs());
  return absl::OkStatus();
}

absl::Status BuildDftAttributes(NodeBuilder& node) {
  graph::Dft dft = DftOf(node);
  dft.axis = node.attributes().Int("axis", 1);
  node.Emit(dft, node.inputs());
  return absl::OkStatus();
}

absl::Status BuildDftInputs(NodeBuilder& node) {
  graph::Dft dft = DftOf(node);
  dft.axis = -2;
  node.Emit(dft, node.inputs());
  return absl::OkStatus();
}

absl::Status BuildStft(NodeBuilder& node) {
  node.Emit(graph::Stft{.onesided = node.attributes().Int("onesided", 1) != 0}, node.inputs());
  return absl::OkStatus();
}

absl::Status BuildMelWeights(NodeBuilder& node) {
  graph::MelWeights mel;
  ASSIGN_OR_RETURN(mel.to, TypeAttribute(node, "output_datatype", graph::DataType::kFloat32));
  node.Emit(mel, node.inputs());
  return absl::OkStatus();
}

absl::Status BuildWindow(NodeBuilder& node, graph::WindowFunction::Kind kind) {
  graph::WindowFunction window;
  window.kind = kind;
  window.periodic = node.attributes().Int("periodic", 1) != 0;
  ASSIGN_OR_RETURN(window.to, TypeAttribute(node, "output_datatype", graph::DataType::kFloat32));
  node.Emit(window, {node.input(0)});
  return absl::OkStatus();
}

}  // namespace fourfold::onnx
