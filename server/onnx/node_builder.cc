#include "server/onnx/node_builder.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "server/graph/evaluate.h"
#include "server/graph/infer_shapes.h"

namespace fourfold::onnx {

using graph::kNoValue;
using graph::TensorPtr;
using graph::ValueId;

ValueId NodeBuilder::input(int i) const {
  if (i >= proto_.input_size() || proto_.input(i).empty()) return kNoValue;
  return scope_.values.at(proto_.input(i));
}

std::vector<ValueId> NodeBuilder::inputs() const {
  std::vector<ValueId> ids;
  for (int i = 0; i < proto_.input_size(); ++i) ids.push_back(input(i));
  return ids;
}

ValueId NodeBuilder::output(int i) {
  if (i >= proto_.output_size() || proto_.output(i).empty()) {
    return NewValue(absl::StrCat("output_", i));
  }
  return scope_.values.at(proto_.output(i));
}

TensorPtr NodeBuilder::ConstantOf(ValueId id) const {
  constexpr size_t kSmall = 4096;  // bytes: bounds and shapes, not weights
  if (id == kNoValue) return nullptr;
  if (TensorPtr tensor = scope_.graph.value(id).constant) return tensor;
  const auto producer = scope_.producers.find(id);
  if (producer == scope_.producers.end()) return nullptr;
  const graph::Node& node = scope_.graph.nodes[producer->second];
  if (!node.as<graph::Cast>() && !node.as<graph::Identity>() && !node.as<graph::Squeeze>() &&
      !node.as<graph::Unsqueeze>() && !node.as<graph::Reshape>()) {
    return nullptr;
  }
  for (size_t k = 0; k < node.inputs.size(); ++k) {
    if (node.inputs[k] != kNoValue && !scope_.graph.ConstantInput(node, k)) return nullptr;
  }
  const auto results = graph::EvaluateConstant(scope_.graph, node, kSmall);
  return results && results->size() == 1 ? results->front() : nullptr;
}

absl::StatusOr<ImportedBody> NodeBuilder::Body(const std::string& attribute) {
  const ::onnx::GraphProto* body = attributes_.Graph(attribute);
  if (body == nullptr) {
    return absl::InvalidArgumentError(absl::StrCat("has no graph \"", attribute, "\""));
  }
  absl::StatusOr<ImportedBody> imported = scope_.body(*body);
  if (imported.ok()) return imported;
  return absl::Status(imported.status().code(),
                      absl::StrCat("its ", attribute, ": ", imported.status().message()));
}

int32_t NodeBuilder::PackedType(int i) const {
  const auto packed = scope_.packed.find(input(i));
  return packed == scope_.packed.end() ? 0 : packed->second;
}

std::optional<graph::Shape> NodeBuilder::KnownShape(ValueId id) const {
  const graph::Value& value = scope_.graph.value(id);
  if (value.shape) return value.shape;
  const auto producer = scope_.producers.find(id);
  if (producer == scope_.producers.end()) return std::nullopt;
  const graph::Node& node = scope_.graph.nodes[producer->second];
  if (!node.as<graph::Dequantize>() && !node.as<graph::Quantize>() && !node.as<graph::Cast>() &&
      !node.as<graph::Identity>()) {
    return std::nullopt;
  }
  return scope_.graph.value(node.inputs[0]).shape;
}

void NodeBuilder::CheckShapeLater(int i, std::function<std::string(const graph::Shape&)> wrong) {
  scope_.shape_rules.push_back(
      [id = input(i), i, name = name_, op_type = proto_.op_type(),
       wrong = std::move(wrong)](const graph::Graph& graph) -> absl::Status {
        const std::optional<graph::Shape>& shape = graph.value(id).shape;
        const std::string error = shape ? wrong(*shape) : "";
        if (error.empty()) return absl::OkStatus();
        return absl::InvalidArgumentError(absl::StrCat("node ", Quoted(name), " (", op_type,
                                                       "): input ", i, " is ",
                                                       graph::ShapeText(*shape), ", ", error));
      });
}

std::optional<graph::Shape> NodeBuilder::InferredShape(ValueId id) const {
  if (scope_.graph.value(id).shape) return scope_.graph.value(id).shape;
  graph::Graph so_far = scope_.graph;
  if (!graph::InferShapes(so_far).ok()) return std::nullopt;
  return so_far.value(id).shape;
}

absl::StatusOr<std::vector<ValueId>> NodeBuilder::Sequence(int i) const {
  const ValueId id = input(i);
  const auto found = scope_.sequences.find(id);
  if (found != scope_.sequences.end() && found->second) return *found->second;
  if (found != scope_.sequences.end()) {
    return absl::UnimplementedError("a sequence of the graph around it");
  }
  const std::vector<ValueId>& inputs = scope_.graph.inputs;
  const bool tensor = scope_.producers.contains(id) || scope_.graph.value(id).constant != nullptr ||
                      std::find(inputs.begin(), inputs.end(), id) != inputs.end();
  if (!tensor) return absl::UnimplementedError("what an unsupported node makes");
  return absl::InvalidArgumentError(
      absl::StrCat("input ", i, " is a tensor, a sequence is wanted"));
}

absl::Status NodeBuilder::SetSequence(std::vector<ValueId> tensors) {
  scope_.sequence_tensors += tensors.size();
  if (scope_.sequence_tensors > scope_.limits.values) {
    return absl::InvalidArgumentError(absl::StrCat("the model's sequences hold more than ",
                                                   scope_.limits.values, " tensors, the limit"));
  }
  scope_.sequences[output(0)] = std::move(tensors);
  return absl::OkStatus();
}

const graph::Node* NodeBuilder::Producer(ValueId id) const {
  const auto producer = scope_.producers.find(id);
  return producer == scope_.producers.end() ? nullptr : &scope_.graph.nodes[producer->second];
}

std::optional<graph::DataType> NodeBuilder::TypeOf(ValueId id) const {
  if (id == kNoValue || scope_.untyped.contains(id)) return std::nullopt;
  return scope_.graph.value(id).type;
}

ValueId NodeBuilder::NewValue(const std::string& suffix) {
  graph::Value value;
  value.name = scope_.value_names.Unique(absl::StrCat(name_, "_", suffix));
  return scope_.graph.AddValue(std::move(value));
}

ValueId NodeBuilder::NewConstant(const std::string& suffix, TensorPtr tensor) {
  return scope_.graph.AddConstant(scope_.value_names.Unique(absl::StrCat(name_, "_", suffix)),
                                  std::move(tensor));
}

ValueId NodeBuilder::NewInt64s(const std::string& suffix, const std::vector<int64_t>& values) {
  const graph::Shape shape = {static_cast<int64_t>(values.size())};
  return NewConstant(suffix, graph::Tensor::Of(graph::DataType::kInt64, shape, values));
}

ValueId NodeBuilder::NewFloats(const std::string& suffix, const std::vector<float>& values) {
  const graph::Shape shape = {static_cast<int64_t>(values.size())};
  return NewConstant(suffix, graph::Tensor::Of(graph::DataType::kFloat32, shape, values));
}

ValueId NodeBuilder::NewScalar(const std::string& suffix, float value) {
  return NewConstant(suffix,
                     graph::Tensor::Of(graph::DataType::kFloat32, {}, std::vector<float>{value}));
}

void NodeBuilder::SetConstantOutput(int i, TensorPtr tensor) {
  graph::Value& value = scope_.graph.value(output(i));
  value.type = tensor->type();
  value.shape = tensor->shape();
  value.constant = std::move(tensor);
}

void NodeBuilder::Emit(graph::Operation operation, std::vector<ValueId> inputs) {
  Emit(std::move(operation), std::move(inputs), {output(0)});
}

void NodeBuilder::Emit(graph::Operation operation, std::vector<ValueId> inputs,
                       std::vector<ValueId> outputs) {
  while (!inputs.empty() && inputs.back() == kNoValue) inputs.pop_back();
  for (ValueId id : outputs) scope_.producers[id] = scope_.graph.nodes.size();
  scope_.graph.nodes.push_back({scope_.node_names.Unique(name_), std::move(operation),
                                std::move(inputs), std::move(outputs)});
  InferTypes();
}

// What is wrong with the node is left to the inference of the whole graph.
void NodeBuilder::InferTypes() {
  const graph::Node& node = scope_.graph.nodes.back();
  const bool typed = std::none_of(node.inputs.begin(), node.inputs.end(),
                                  [&](ValueId id) { return scope_.untyped.contains(id); });
  if (typed && graph::InferLastNode(scope_.graph)) return;
  for (ValueId id : node.outputs) scope_.untyped.insert(id);
}

}  // namespace fourfold::onnx
