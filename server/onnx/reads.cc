#include "server/onnx/reads.h"

namespace fourfold::onnx {

void ForEachRead(const ::onnx::NodeProto& node,
                 const std::function<void(const std::string&)>& visit) {
  for (const std::string& input : node.input()) visit(input);
  const auto inside = [&](const ::onnx::GraphProto& graph) {
    for (const ::onnx::NodeProto& inner : graph.node()) ForEachRead(inner, visit);
    for (const ::onnx::ValueInfoProto& output : graph.output()) visit(output.name());
  };
  for (const ::onnx::AttributeProto& attribute : node.attribute()) {
    if (attribute.has_g()) inside(attribute.g());
    for (const ::onnx::GraphProto& graph : attribute.graphs()) inside(graph);
  }
}

}  // namespace fourfold::onnx
