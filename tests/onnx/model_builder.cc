#include "tests/onnx/model_builder.h"

#include <fstream>
#include <iterator>
#include <map>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "server/graph/tensor.h"

namespace fourfold::onnx {

ModelBuilder::ModelBuilder(int64_t opset) {
  model_.set_ir_version(8);
  model_.add_opset_import()->set_version(opset);
  graph().set_name("test");
}

void ModelBuilder::Input(const std::string& name, const std::vector<int64_t>& dims, int32_t type) {
  auto& input = *graph().add_input();
  input.set_name(name);
  auto& tensor = *input.mutable_type()->mutable_tensor_type();
  tensor.set_elem_type(type);
  for (int64_t dim : dims) tensor.mutable_shape()->add_dim()->set_dim_value(dim);
}

void ModelBuilder::Output(const std::string& name) { graph().add_output()->set_name(name); }

void ModelBuilder::Floats(const std::string& name, const std::vector<int64_t>& dims,
                          const std::vector<float>& values) {
  auto& tensor = *graph().add_initializer();
  tensor.set_name(name);
  tensor.set_data_type(::onnx::TensorProto::FLOAT);
  for (int64_t dim : dims) tensor.add_dims(dim);
  for (float value : values) tensor.add_float_data(value);
}

void ModelBuilder::Int64s(const std::string& name, const std::vector<int64_t>& values) {
  auto& tensor = *graph().add_initializer();
  tensor.set_name(name);
  tensor.set_data_type(::onnx::TensorProto::INT64);
  tensor.add_dims(static_cast<int64_t>(values.size()));
  for (int64_t value : values) tensor.add_int64_data(value);
}

::onnx::NodeProto& ModelBuilder::Node(const std::string& op_type,
                                      const std::vector<std::string>& inputs,
                                      const std::vector<std::string>& outputs,
                                      const std::string& name) {
  auto& node = *graph().add_node();
  node.set_op_type(op_type);
  if (!name.empty()) node.set_name(name);
  for (const auto& input : inputs) node.add_input(input);
  for (const auto& output : outputs) node.add_output(output);
  return node;
}

absl::StatusOr<graph::Graph> ModelBuilder::Import(const ImportLimits& limits,
                                                  ExternalData* external) const {
  return ImportBytes(Bytes(), limits, external);
}

absl::StatusOr<graph::Graph> ImportBytes(const std::string& bytes, const ImportLimits& limits,
                                         ExternalData* external) {
  return fourfold::onnx::Import(std::as_bytes(std::span(bytes)), limits, external);
}

void AddInt(::onnx::NodeProto& node, const std::string& name, int64_t value) {
  auto& attribute = *node.add_attribute();
  attribute.set_name(name);
  attribute.set_type(::onnx::AttributeProto::INT);
  attribute.set_i(value);
}

void AddFloat(::onnx::NodeProto& node, const std::string& name, float value) {
  auto& attribute = *node.add_attribute();
  attribute.set_name(name);
  attribute.set_type(::onnx::AttributeProto::FLOAT);
  attribute.set_f(value);
}

void AddInts(::onnx::NodeProto& node, const std::string& name, const std::vector<int64_t>& values) {
  auto& attribute = *node.add_attribute();
  attribute.set_name(name);
  attribute.set_type(::onnx::AttributeProto::INTS);
  for (int64_t value : values) attribute.add_ints(value);
}

void AddString(::onnx::NodeProto& node, const std::string& name, const std::string& value) {
  auto& attribute = *node.add_attribute();
  attribute.set_name(name);
  attribute.set_type(::onnx::AttributeProto::STRING);
  attribute.set_s(value);
}

std::vector<int64_t> ConstantInt64s(const graph::Graph& graph, const graph::Node& node, size_t i) {
  const graph::Tensor* tensor = graph.ConstantInput(node, i);
  return tensor ? tensor->ToInt64() : std::vector<int64_t>{};
}

std::vector<float> ConstantFloats(const graph::Graph& graph, const graph::Node& node, size_t i) {
  const graph::Tensor* tensor = graph.ConstantInput(node, i);
  return tensor ? tensor->ToFloat() : std::vector<float>{};
}

std::string ReadSharedModel(const std::string& name) {
  std::ifstream file(std::string(FOURFOLD_TEST_DATA) + "/../../../shared/data/models/" + name,
                     std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

std::string Structure(const graph::Graph& graph) {
  std::ostringstream text;
  // The caller's names count; what lies between is numbered, for its names may be shortened.
  std::map<graph::ValueId, std::string> names;
  for (graph::ValueId id : graph.inputs) names[id] = graph.value(id).name;
  for (graph::ValueId id : graph.outputs) names[id] = graph.value(id).name;
  const auto describe = [&](graph::ValueId id) {
    if (id == graph::kNoValue) {
      text << " -";
      return;
    }
    const graph::Value& value = graph.value(id);
    const std::string& name = names.try_emplace(id, absl::StrCat("v", names.size())).first->second;
    text << ' ' << (value.constant ? "constant" : name) << ' ' << graph::TypeText(value.type)
         << (value.shape ? graph::ShapeText(*value.shape) : "?");
    if (value.constant) {
      const std::string_view bytes(static_cast<const char*>(value.constant->data()),
                                   value.constant->bytes());
      text << '#' << std::hash<std::string_view>()(bytes);
    }
  };
  for (graph::ValueId id : graph.inputs) describe(id);
  text << '\n';
  for (const graph::Node& node : graph.nodes) {
    text << std::string(graph::OperationName(node.operation)) << " (";
    for (graph::ValueId id : node.inputs) describe(id);
    text << " ) ->";
    for (graph::ValueId id : node.outputs) describe(id);
    text << '\n';
  }
  for (graph::ValueId id : graph.outputs) describe(id);
  return text.str();
}

}  // namespace fourfold::onnx
