// Recurrent layers: the choice of arithmetic by how weights and input are stored.

#include "kernels/recurrent.h"
#include "server/base/status_macros.h"
#include "server/graph/recurrent.h"
#include "server/runtime/lowering.h"

namespace fourfold::runtime {
namespace {

using graph::Node;
using graph::Quantization;
using graph::ValueId;
using kernels::Arithmetic;
using kernels::ElementType;
using kernels::RecurrentSpec;

// Inputs by position.
constexpr size_t kX = 0;
constexpr size_t kWeights = 1;
constexpr size_t kRecurrence = 2;
constexpr size_t kLengths = 4;

RecurrentSpec SpecOf(const graph::Recurrent& recurrent) {
  RecurrentSpec spec;
  switch (recurrent.kind) {
    case graph::Recurrent::Kind::kRnn: spec.kind = RecurrentSpec::Kind::kRnn; break;
    case graph::Recurrent::Kind::kLstm: spec.kind = RecurrentSpec::Kind::kLstm; break;
    case graph::Recurrent::Kind::kGru: spec.kind = RecurrentSpec::Kind::kGru; break;
  }
  static_assert(static_cast<int>(graph::Recurrent::Function::kSoftplus) ==
                static_cast<int>(RecurrentSpec::Function::kSoftplus));
  for (size_t i = 0; i < recurrent.functions.size(); ++i) {
    const graph::Recurrent::GateFunction& from = recurrent.functions[i];
    spec.functions[i] = {static_cast<RecurrentSpec::Function>(from.function), from.alpha,
                         from.beta};
  }
  spec.hidden = recurrent.hidden_size;
  spec.reverse = recurrent.reverse;
  if (recurrent.clip) spec.clip = *recurrent.clip;
  spec.linear_before_reset = recurrent.linear_before_reset;
  spec.input_forget = recurrent.input_forget;
  return spec;
}

// The scale of each row of int8 weights with zero point 0; nothing for other weights.
std::optional<std::vector<float>> RowScales(const graph::Value& weights) {
  if (weights.constant == nullptr || !weights.quantization || weights.type != ElementType::kInt8) {
    return std::nullopt;
  }
  const Quantization& how = *weights.quantization;
  if (!how.per_tensor() && how.axis != 0) return std::nullopt;
  for (int32_t zero : how.zero_point) {
    if (zero != 0) return std::nullopt;
  }
  if (!how.per_tensor()) return how.scale;
  return std::vector<float>(static_cast<size_t>(weights.constant->shape()[0]), how.scale[0]);
}

// What the kernel borrows.
struct Parameters {
  std::vector<float> weights_scale, recurrence_scale;
};

}  // namespace

absl::Status LowerRecurrent(Lowering& lowering, const Node& node) {
  const auto& recurrent = *node.as<graph::Recurrent>();
  RecurrentSpec spec = SpecOf(recurrent);
  const graph::Shape& x_shape = lowering.shape(node.inputs[kX]);
  spec.steps = x_shape[0];
  spec.batch = x_shape[1];
  spec.inputs = x_shape[2];

  const graph::Value& weights = lowering.value(node.inputs[kWeights]);
  const graph::Value& recurrence = lowering.value(node.inputs[kRecurrence]);
  auto parameters = std::make_shared<Parameters>();
  std::optional<std::vector<float>> weights_scale = RowScales(weights);
  std::optional<std::vector<float>> recurrence_scale = RowScales(recurrence);
  std::string arithmetic = "float32";
  if (weights_scale && recurrence_scale && spec.inputs <= kernels::kMaxExactSum &&
      spec.hidden <= kernels::kMaxExactSum) {
    parameters->weights_scale = *std::move(weights_scale);
    parameters->recurrence_scale = *std::move(recurrence_scale);
    spec.weights_scale = parameters->weights_scale;
    spec.recurrence_scale = parameters->recurrence_scale;
    const bool fixed =
        lowering.integer_activation(node.inputs[kX]) && graph::HasBoundedState(recurrent);
    spec.arithmetic = fixed ? Arithmetic::kStaticInt8 : Arithmetic::kDynamicInt8;
    arithmetic = fixed ? "int8" : "dynamic int8";
    lowering.KeepAlive(parameters, (spec.weights_scale.size() * 2) * sizeof(float));
  }

  std::vector<View> inputs(8);
  View& x = inputs[kX];
  if (spec.arithmetic == Arithmetic::kStaticInt8) {
    ASSIGN_OR_RETURN(x, lowering.Stored(node.inputs[kX], LayoutWish::kRowMajor));
    spec.x_params = lowering.value(node.inputs[kX]).quantization->params();
  } else {
    ASSIGN_OR_RETURN(x, lowering.Real(node.inputs[kX], LayoutWish::kRowMajor));
  }
  spec.x_type = x.spec.type;
  // Constants go into the kernel as they are stored, if it takes them so.
  const auto constant = [&](const graph::Value& value) {
    if (value.constant == nullptr) return false;
    if (spec.arithmetic != Arithmetic::kFloat) return true;
    return !value.quantization &&
           (value.type == ElementType::kFloat32 || value.type == ElementType::kFloat16);
  };
  const auto bind = [&](size_t i, const graph::Value& value, const void*& pointer,
                        ElementType& type, uint64_t& id) -> absl::Status {
    if (!constant(value)) {
      ASSIGN_OR_RETURN(inputs[i], lowering.Real(node.inputs[i], LayoutWish::kRowMajor));
      return absl::OkStatus();
    }
    pointer = value.constant->data();
    type = value.type;
    id = static_cast<uint64_t>(node.inputs[i]) + 1;
    lowering.KeepAlive(value.constant);
    return absl::OkStatus();
  };
  RETURN_IF_ERROR(bind(kWeights, weights, spec.weights, spec.weights_type, spec.weights_id));
  RETURN_IF_ERROR(
      bind(kRecurrence, recurrence, spec.recurrence, spec.recurrence_type, spec.recurrence_id));
  for (size_t i = kRecurrence + 1; i < node.inputs.size(); ++i) {
    if (node.inputs[i] == graph::kNoValue) continue;
    ASSIGN_OR_RETURN(inputs[i], i == kLengths
                                    ? lowering.Stored(node.inputs[i], LayoutWish::kRowMajor)
                                    : lowering.Real(node.inputs[i], LayoutWish::kRowMajor));
  }

  std::vector<View> outputs(3);
  StepInfo info;
  for (size_t i = 0; i < node.outputs.size(); ++i) {
    if (node.outputs[i] == graph::kNoValue) continue;
    outputs[i] = lowering.NewView(ElementType::kFloat32, lowering.shape(node.outputs[i]));
    if (info.operation.empty()) info = lowering.Info("Recurrent", outputs[i]);
  }
  info.arithmetic = arithmetic;
  info.macs = spec.steps * spec.batch * kernels::GateCount(spec.kind) * spec.hidden *
              (spec.inputs + spec.hidden);
  RETURN_IF_ERROR(
      lowering.Add(kernels::RecurrentKernels(), spec, inputs, outputs, std::move(info)));
  for (size_t i = 0; i < node.outputs.size(); ++i) {
    if (node.outputs[i] == graph::kNoValue) continue;
    RETURN_IF_ERROR(lowering.DefineReal(node.outputs[i], outputs[i]));
  }
  return absl::OkStatus();
}

}  // namespace fourfold::runtime
