#include "server/tflite/tensor_values.h"

#include "absl/strings/str_cat.h"
#include "server/base/status_macros.h"
#include "server/graph/shapes.h"

namespace fourfold::tflite {

using graph::DataType;
using graph::kNoValue;
using graph::Tensor;
using graph::TensorPtr;

namespace {

const std::vector<int64_t> kToChannelsFirst = {0, 3, 1, 2};
const std::vector<int64_t> kToChannelsLast = {0, 2, 3, 1};

TensorPtr ZeroPoints(const TensorInfo& info, const graph::Shape& shape) {
  const std::vector<int32_t>& zeros = info.quantization->zero_point;
  if (info.type == DataType::kInt32) return Tensor::Of(info.type, shape, zeros);
  std::vector<uint8_t> bytes;  // of either sign
  for (int32_t zero : zeros) bytes.push_back(static_cast<uint8_t>(zero));
  return Tensor::Of(info.type, shape, bytes);
}

}  // namespace

absl::Status TensorValues::Load(int tensor) {
  if (tensor >= 0 && Index(tensor) < states_.size() && states_[Index(tensor)].info) {
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(TensorInfo info, ReadTensor(file_, tensor, limits_));
  states_[Index(tensor)].info = std::move(info);
  return absl::OkStatus();
}

std::string TensorValues::NameOf(int tensor) const {
  const std::string& name = info(tensor).name;
  return name.empty() ? absl::StrCat("tensor_", tensor) : name;
}

absl::Status TensorValues::DefineInput(int tensor) {
  State& state = states_[Index(tensor)];
  if (state.stored != kNoValue) {
    return absl::InvalidArgumentError(
        absl::StrCat(TensorText(file_, tensor), " is an input twice"));
  }
  if (state.info->is_constant) {
    return absl::InvalidArgumentError(
        absl::StrCat(TensorText(file_, tensor), " is an input and has a constant value"));
  }
  graph::Value value;
  value.name = value_names_.Unique(NameOf(tensor));
  value.type = state.info->type;
  value.shape = state.info->shape ? state.info->shape : graph::Shape{};
  std::vector<std::string> dim_names(value.shape->size());
  for (size_t d = 0; d < dim_names.size(); ++d) {
    if ((*value.shape)[d] == graph::kUnknownDim) dim_names[d] = d == 0 ? "N" : absl::StrCat("d", d);
  }
  state.stored = graph_.AddValue(std::move(value));
  graph_.inputs.push_back(state.stored);
  graph_.input_dim_names.push_back(std::move(dim_names));
  return absl::OkStatus();
}

int TensorValues::Origin(int tensor) const {
  while (states_[Index(tensor)].alias >= 0) tensor = states_[Index(tensor)].alias;
  return tensor;
}

bool TensorValues::IsDefined(int tensor) const {
  const State& state = states_[Index(Origin(tensor))];
  if (state.stored != kNoValue || state.info->is_constant) return true;
  return state.info->shape && !state.info->is_variable &&
         graph::KnownCount(*state.info->shape) == 0;
}

graph::ValueId TensorValues::Stored(int tensor) {
  tensor = Origin(tensor);
  State& state = states_[Index(tensor)];
  if (state.stored == kNoValue) state.stored = AddConstant(NameOf(tensor), state.info->Constant());
  return state.stored;
}

std::pair<graph::ValueId, graph::ValueId> TensorValues::Parameters(int tensor) {
  State& state = states_[Index(tensor)];
  if (state.parameters.first != kNoValue) return state.parameters;
  const graph::Quantization& how = *state.info->quantization;
  const graph::Shape shape =
      how.per_tensor() ? graph::Shape{} : graph::Shape{static_cast<int64_t>(how.scale.size())};
  const std::string name = NameOf(tensor);
  state.parameters = {
      AddConstant(name + "_scale", Tensor::Of(DataType::kFloat32, shape, how.scale)),
      AddConstant(name + "_zero_point", ZeroPoints(*state.info, shape))};
  return state.parameters;
}

graph::ValueId TensorValues::ToReal(int tensor, ValueId stored, int64_t axis) {
  const TensorInfo& info = *states_[Index(tensor)].info;
  if (info.quantized()) {
    const auto [scale, zero_point] = Parameters(tensor);
    return Emit(NameOf(tensor) + "_dequantized", graph::Dequantize{.axis = axis},
                {stored, scale, zero_point});
  }
  if (info.type == DataType::kFloat16) {
    return Emit(NameOf(tensor) + "_float", graph::Cast{.to = DataType::kFloat32}, {stored});
  }
  return stored;
}

graph::ValueId TensorValues::Real(int tensor) {
  tensor = Origin(tensor);
  if (states_[Index(tensor)].real == kNoValue) {
    const auto& how = info(tensor).quantization;
    const ValueId real = ToReal(tensor, Stored(tensor), how && !how->per_tensor() ? how->axis : 0);
    states_[Index(tensor)].real = real;
  }
  return states_[Index(tensor)].real;
}

graph::ValueId TensorValues::ChannelsFirst(int tensor) {
  tensor = Origin(tensor);
  if (states_[Index(tensor)].channels_first == kNoValue) {
    const ValueId moved = Permuted(tensor, kToChannelsFirst);
    states_[Index(tensor)].channels_first = moved;
  }
  return states_[Index(tensor)].channels_first;
}

graph::ValueId TensorValues::Permuted(int tensor, const std::vector<int64_t>& permutation) {
  tensor = Origin(tensor);
  const auto known = permuted_.find({tensor, permutation});
  if (known != permuted_.end()) return known->second;
  const TensorInfo& info = this->info(tensor);
  ValueId result = kNoValue;
  if (info.is_constant) {
    int64_t axis = 0;
    if (info.quantization && !info.quantization->per_tensor()) {
      while (permutation[static_cast<size_t>(axis)] != info.quantization->axis) ++axis;
    }
    result = ToReal(tensor, AddConstant(NameOf(tensor), info.Constant(permutation)), axis);
  } else {
    result = Requantized(Emit(NameOf(tensor) + "_transposed",
                              graph::Transpose{.permutation = permutation}, {Real(tensor)}),
                         tensor);
  }
  return permuted_[{tensor, permutation}] = result;
}

graph::ValueId TensorValues::Quantized(int tensor, ValueId real) {
  const auto [scale, zero_point] = Parameters(tensor);
  return Emit(NameOf(tensor) + "_quantized", graph::Quantize{.axis = 0}, {real, scale, zero_point});
}

graph::ValueId TensorValues::Requantized(ValueId real, int tensor) {
  tensor = Origin(tensor);
  return info(tensor).quantized() ? ToReal(tensor, Quantized(tensor, real), 0) : real;
}

absl::Status TensorValues::Define(int tensor, ValueId real) {
  const State& state = states_[Index(tensor)];
  if (state.stored != kNoValue || state.alias >= 0 || state.info->is_constant) {
    return absl::InvalidArgumentError(
        absl::StrCat("writes ", TensorText(file_, tensor), ", which is there already"));
  }
  const TensorInfo& info = this->info(tensor);
  ValueId stored = real;
  if (info.quantized()) {
    stored = Quantized(tensor, real);
  } else if (info.type == DataType::kFloat16) {
    stored = Emit(NameOf(tensor), graph::Cast{.to = DataType::kFloat16}, {real});
  } else if (!unnamed_[static_cast<size_t>(real)]) {
    stored = Emit(NameOf(tensor), graph::Identity{}, {real});
  }
  unnamed_[static_cast<size_t>(stored)] = false;
  graph::Value& value = graph_.value(stored);
  value.name = value_names_.Unique(NameOf(tensor));
  value.type = info.type;
  states_[Index(tensor)].stored = stored;
  return absl::OkStatus();
}

absl::Status TensorValues::DefineChannelsFirst(int tensor, ValueId real) {
  const ValueId first = Requantized(real, tensor);
  RETURN_IF_ERROR(Define(tensor, Emit(NameOf(tensor) + "_channels_last",
                                      graph::Transpose{.permutation = kToChannelsLast}, {first})));
  states_[Index(tensor)].channels_first = first;
  return absl::OkStatus();
}

graph::ValueId TensorValues::Emit(const std::string& name, graph::Operation operation,
                                  std::vector<ValueId> inputs, size_t outputs) {
  while (!inputs.empty() && inputs.back() == kNoValue) inputs.pop_back();
  std::vector<ValueId> ids;
  for (size_t i = 0; i < outputs; ++i) {
    graph::Value value;
    value.name = value_names_.Unique(i == 0 ? name + ":0" : absl::StrCat(name, ":", i));
    ids.push_back(graph_.AddValue(std::move(value)));
  }
  unnamed_.resize(graph_.value_count(), false);
  for (ValueId id : ids) unnamed_[static_cast<size_t>(id)] = true;
  graph_.nodes.push_back({node_names_.Unique(name), std::move(operation), std::move(inputs), ids});
  return ids.front();
}

graph::ValueId TensorValues::AddConstant(const std::string& name, TensorPtr tensor) {
  const ValueId id = graph_.AddConstant(value_names_.Unique(name), std::move(tensor));
  unnamed_.resize(graph_.value_count(), false);
  return id;
}

}  // namespace fourfold::tflite
