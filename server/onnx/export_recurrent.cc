#include "server/onnx/export_recurrent.h"

#include "absl/strings/str_cat.h"

namespace fourfold::onnx {
namespace {

using graph::DataType;
using graph::kNoValue;
using graph::Node;
using graph::Recurrent;
using graph::Shape;
using graph::Tensor;
using graph::TensorPtr;
using graph::ValueId;

constexpr const char* kFunctionNames[] = {
    "Sigmoid",    "Tanh",        "Relu", "Affine",   "LeakyRelu", "ThresholdedRelu",
    "ScaledTanh", "HardSigmoid", "Elu",  "Softsign", "Softplus"};

bool HasAlpha(Recurrent::Function function) {
  switch (function) {
    case Recurrent::Function::kAffine:
    case Recurrent::Function::kLeakyRelu:
    case Recurrent::Function::kThresholdedRelu:
    case Recurrent::Function::kScaledTanh:
    case Recurrent::Function::kHardSigmoid:
    case Recurrent::Function::kElu: return true;
    default: return false;
  }
}

bool HasBeta(Recurrent::Function function) {
  return function == Recurrent::Function::kAffine || function == Recurrent::Function::kScaledTanh ||
         function == Recurrent::Function::kHardSigmoid;
}

// The same elements as one direction: [1, ...].
TensorPtr WithDirection(const TensorPtr& tensor) {
  Shape shape = tensor->shape();
  shape.insert(shape.begin(), 1);
  return std::make_shared<const Tensor>(tensor->type(), shape,
                                        std::shared_ptr<const void>(tensor, tensor->data()));
}

// An operand with the dimension of directions in front. Constants get it as they are stored.
std::string ReadWithDirection(Exporter& e, const Node& node, size_t i, const std::string& suffix) {
  const ValueId id = node.input(i);
  if (id == kNoValue) return "";
  const graph::Value& value = e.graph().value(id);
  const std::string real = e.Temporary(node, suffix);
  if (value.constant == nullptr) {
    e.AddNode("Unsqueeze", "", {e.Read(node, i), e.AddInt64s(node, suffix + "_axes", {0})}, {real});
    return real;
  }
  const std::string stored =
      e.AddInitializer(absl::StrCat(value.name, "_stored"), *WithDirection(value.constant));
  if (value.quantization) {
    const graph::Quantization& how = *value.quantization;
    const Shape shape = how.per_tensor() ? Shape{} : Shape{static_cast<int64_t>(how.scale.size())};
    // Without a zero point it is 0, which int8 weights have.
    const std::string scale = e.AddInitializer(absl::StrCat(value.name, "_scale"),
                                               *Tensor::Of(DataType::kFloat32, shape, how.scale));
    ::onnx::NodeProto& dequantize = e.AddNode("DequantizeLinear", "", {stored, scale}, {real});
    if (!how.per_tensor()) SetInt(dequantize, "axis", how.axis + 1);
    return real;
  }
  if (value.type == DataType::kFloat16 &&
      e.graph().value(node.inputs[0]).type != DataType::kFloat16) {
    SetInt(e.AddNode("Cast", "", {stored}, {real}), "to", ::onnx::TensorProto::FLOAT);
    return real;
  }
  return stored;
}

void SetFunctions(::onnx::NodeProto& proto, const Recurrent& recurrent) {
  auto& names = *proto.add_attribute();
  names.set_name("activations");
  names.set_type(::onnx::AttributeProto::STRINGS);
  std::vector<float> alphas, betas;
  for (const Recurrent::GateFunction& gate : recurrent.functions) {
    names.add_strings(kFunctionNames[static_cast<size_t>(gate.function)]);
    if (HasAlpha(gate.function)) alphas.push_back(gate.alpha);
    if (HasBeta(gate.function)) betas.push_back(gate.beta);
  }
  const auto set = [&proto](const char* name, const std::vector<float>& values) {
    if (values.empty()) return;
    auto& attribute = *proto.add_attribute();
    attribute.set_name(name);
    attribute.set_type(::onnx::AttributeProto::FLOATS);
    for (float value : values) attribute.add_floats(value);
  };
  set("activation_alpha", alphas);
  set("activation_beta", betas);
}

}  // namespace

absl::Status ExportRecurrent(Exporter& e, const Node& node, const Recurrent& recurrent) {
  static constexpr const char* kNames[] = {"RNN", "LSTM", "GRU"};
  Exporter::Names inputs = {e.Read(node, 0),
                            ReadWithDirection(e, node, 1, "weights"),
                            ReadWithDirection(e, node, 2, "recurrence"),
                            ReadWithDirection(e, node, 3, "bias"),
                            e.Read(node, 4),
                            ReadWithDirection(e, node, 5, "initial_h"),
                            ReadWithDirection(e, node, 6, "initial_c"),
                            ReadWithDirection(e, node, 7, "peepholes")};
  Exporter::Names outputs;
  for (size_t i = 0; i < node.outputs.size(); ++i) {
    outputs.push_back(
        node.outputs[i] == kNoValue ? "" : e.Temporary(node, absl::StrCat("direction_", i)));
  }
  ::onnx::NodeProto& proto =
      e.AddNode(kNames[static_cast<size_t>(recurrent.kind)], node.name, inputs, outputs);
  SetInt(proto, "hidden_size", recurrent.hidden_size);
  if (recurrent.reverse) SetString(proto, "direction", "reverse");
  SetFunctions(proto, recurrent);
  if (recurrent.clip) SetFloat(proto, "clip", *recurrent.clip);
  if (recurrent.linear_before_reset) SetInt(proto, "linear_before_reset", 1);
  if (recurrent.input_forget) SetInt(proto, "input_forget", 1);
  for (size_t i = 0; i < outputs.size(); ++i) {
    if (outputs[i].empty()) continue;
    const std::string axes =
        e.AddInt64s(node, absl::StrCat("direction_", i, "_axes"), {i == 0 ? 1 : 0});
    e.AddNode("Squeeze", "", {outputs[i], axes}, {e.Write(node, i)});
  }
  return absl::OkStatus();
}

}  // namespace fourfold::onnx
