#include <limits>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "server/base/status_macros.h"
#include "server/onnx/builders.h"
#include "server/onnx/element_type.h"
#include "server/onnx/import_tensor.h"

namespace fourfold::onnx {
namespace {

using graph::DataType;
using graph::Tensor;
using graph::TensorPtr;

template <typename T>
TensorPtr Vector(DataType type, const std::vector<T>& values) {
  return Tensor::Of(type, {static_cast<int64_t>(values.size())}, values);
}

}  // namespace

absl::Status BuildConstant(NodeBuilder& node) {
  Attributes& attributes = node.attributes();
  int values = 0;
  for (const char* name : {"value", "value_float", "value_floats", "value_int", "value_ints",
                           "value_string", "value_strings", "sparse_value"}) {
    values += attributes.Has(name);
  }
  if (values > 1) {
    return absl::InvalidArgumentError(absl::StrCat("has ", values, " values, one is wanted"));
  }
  TensorPtr tensor;
  if (const ::onnx::TensorProto* value = attributes.Tensor("value")) {
    ASSIGN_OR_RETURN(tensor, ImportTensor(*value, node.limits(), node.external()));
  } else if (attributes.Has("value_float")) {
    tensor = Tensor::Of(DataType::kFloat32, {},
                        std::vector<float>{attributes.Float("value_float", 0.0f)});
  } else if (attributes.Has("value_floats")) {
    tensor = Vector(DataType::kFloat32, attributes.Floats("value_floats"));
  } else if (attributes.Has("value_int")) {
    tensor = Tensor::Of(DataType::kInt64, {}, std::vector<int64_t>{attributes.Int("value_int", 0)});
  } else if (attributes.Has("value_ints")) {
    tensor = Vector(DataType::kInt64, attributes.Ints("value_ints"));
  } else {
    RETURN_IF_ERROR(attributes.Finish());  // names a sparse or string value
    return absl::InvalidArgumentError("has no value");
  }
  node.SetConstantOutput(0, std::move(tensor));
  return absl::OkStatus();
}

absl::Status BuildConstantOfShape(NodeBuilder& node) {
  graph::ConstantOfShape operation;
  if (const ::onnx::TensorProto* value = node.attributes().Tensor("value")) {
    ASSIGN_OR_RETURN(operation.value, ImportTensor(*value, node.limits(), node.external()));
    if (operation.value->count() != 1) {
      return absl::InvalidArgumentError(absl::StrCat(
          "attribute \"value\" holds ", operation.value->count(), " elements, one is wanted"));
    }
  } else {
    operation.value = Tensor::Of(DataType::kFloat32, {1}, std::vector<float>{0.0f});
  }
  node.Emit(operation, {node.input(0)});
  return absl::OkStatus();
}

absl::Status BuildShape(NodeBuilder& node) {
  graph::ShapeOf shape;
  if (node.opset() >= 15) {
    shape.start = node.attributes().Int("start", 0);
    if (node.attributes().Has("end")) shape.end = node.attributes().Int("end", 0);
  }
  node.Emit(shape, {node.input(0)});
  return absl::OkStatus();
}

absl::StatusOr<DataType> TypeAttribute(NodeBuilder& node, const char* name,
                                       std::optional<DataType> fallback) {
  if (!node.attributes().Has(name) && fallback) return *fallback;
  node.attributes().Require(name);
  const int64_t to = node.attributes().Int(name, 0);
  if (to < 0 || to > std::numeric_limits<int32_t>::max()) {
    return absl::InvalidArgumentError(absl::StrCat("attribute \"", name, "\" is ", to));
  }
  if (const std::optional<DataType> type = ElementTypeOf(static_cast<int32_t>(to))) return *type;
  RETURN_IF_ERROR(node.attributes().Finish());
  if (to == ::onnx::TensorProto::UNDEFINED) {
    return absl::InvalidArgumentError(absl::StrCat("attribute \"", name, "\" names no type"));
  }
  return absl::UnimplementedError(absl::StrCat("to ", OnnxTypeText(static_cast<int32_t>(to))));
}

absl::Status BuildCast(NodeBuilder& node) {
  node.attributes().Ignore("saturate");  // of 8-bit floats
  ASSIGN_OR_RETURN(const DataType to, TypeAttribute(node, "to", std::nullopt));
  node.Emit(graph::Cast{.to = to}, {node.input(0)});
  return absl::OkStatus();
}

absl::Status BuildCastLike(NodeBuilder& node) {
  node.attributes().Ignore("saturate");  // of 8-bit floats
  const std::optional<DataType> type = node.TypeOf(node.input(1));
  if (!type) return absl::UnimplementedError("the type of what it shall be like");
  node.Emit(graph::Cast{.to = *type}, {node.input(0)});
  return absl::OkStatus();
}

absl::Status BuildEyeLike(NodeBuilder& node) {
  graph::EyeLike eye;
  eye.k = node.attributes().Int("k", 0);
  ASSIGN_OR_RETURN(eye.to, TypeAttribute(node, "dtype", node.TypeOf(node.input(0))));
  node.Emit(eye, {node.input(0)});
  return absl::OkStatus();
}

absl::Status BuildRange(NodeBuilder& node) {
  node.Emit(graph::Range{}, node.inputs());
  return absl::OkStatus();
}

}  // namespace fourfold::onnx
