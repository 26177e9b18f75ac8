// If, Loop and Scan with the graphs inside of them.

#include "server/base/status_macros.h"
#include "server/onnx/exporter.h"

namespace fourfold::onnx {
namespace {

std::vector<int64_t> ToInts(const std::vector<bool>& flags) { return {flags.begin(), flags.end()}; }

Exporter::Names WriteAll(Exporter& exporter, const graph::Node& node) {
  Exporter::Names names;
  for (size_t i = 0; i < node.outputs.size(); ++i) names.push_back(exporter.Write(node, i));
  return names;
}

// The node's inputs from `first` on, which a body captures, as names of the file.
Exporter::Names Captured(Exporter& exporter, const graph::Node& node, size_t first) {
  Exporter::Names names;
  for (size_t i = first; i < node.inputs.size(); ++i) names.push_back(exporter.Read(node, i));
  return names;
}

absl::Status AddBody(Exporter& exporter, ::onnx::NodeProto& proto, const char* attribute,
                     const graph::Graph& body, const Exporter::Names& captured) {
  ::onnx::AttributeProto& added = *proto.add_attribute();
  added.set_name(attribute);
  added.set_type(::onnx::AttributeProto::GRAPH);
  return Exporter(body, *added.mutable_g(), exporter, captured).Run();
}

}  // namespace

absl::Status ExportIf(Exporter& exporter, const graph::Node& node, const graph::If& branches) {
  const Exporter::Names captured = Captured(exporter, node, 1);
  ::onnx::NodeProto& proto =
      exporter.AddNode("If", node.name, {exporter.Read(node, 0)}, WriteAll(exporter, node));
  RETURN_IF_ERROR(AddBody(exporter, proto, "then_branch", *branches.then_branch, captured));
  return AddBody(exporter, proto, "else_branch", *branches.else_branch, captured);
}

absl::Status ExportLoop(Exporter& exporter, const graph::Node& node, const graph::Loop& loop) {
  const auto own = static_cast<size_t>(loop.carried) + 2;
  Exporter::Names inputs;
  for (size_t i = 0; i < own; ++i) inputs.push_back(exporter.Read(node, i));
  const Exporter::Names captured = Captured(exporter, node, own);
  ::onnx::NodeProto& proto =
      exporter.AddNode("Loop", node.name, std::move(inputs), WriteAll(exporter, node));
  return AddBody(exporter, proto, "body", *loop.body, captured);
}

absl::Status ExportScan(Exporter& exporter, const graph::Node& node, const graph::Scan& scan) {
  const auto own = static_cast<size_t>(scan.states + scan.sequences);
  Exporter::Names inputs;
  for (size_t i = 0; i < own; ++i) inputs.push_back(exporter.Read(node, i));
  const Exporter::Names captured = Captured(exporter, node, own);
  ::onnx::NodeProto& proto =
      exporter.AddNode("Scan", node.name, std::move(inputs), WriteAll(exporter, node));
  SetInt(proto, "num_scan_inputs", scan.sequences);
  SetInts(proto, "scan_input_axes", scan.input_axes);
  SetInts(proto, "scan_input_directions", ToInts(scan.input_reversed));
  if (!scan.output_axes.empty()) {
    SetInts(proto, "scan_output_axes", scan.output_axes);
    SetInts(proto, "scan_output_directions", ToInts(scan.output_reversed));
  }
  return AddBody(exporter, proto, "body", *scan.body, captured);
}

}  // namespace fourfold::onnx
