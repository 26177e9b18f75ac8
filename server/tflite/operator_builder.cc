#include "server/tflite/operator_builder.h"

#include <cstring>

#include "absl/strings/str_cat.h"
#include "server/base/status_macros.h"
#include "server/graph/shapes.h"

namespace fourfold::tflite {

using graph::DataType;
using graph::Tensor;
using graph::ValueId;
using kernels::Activation;

absl::StatusOr<ValueId> OperatorBuilder::ChannelsFirst(int i) {
  ASSIGN_OR_RETURN(const size_t rank, Rank(i));
  if (rank != 4) {
    return absl::InvalidArgumentError(
        absl::StrCat("input ", i, " has ", rank, " dimensions, 4 are wanted"));
  }
  return values_.ChannelsFirst(tensor(i));
}

ValueId OperatorBuilder::Int64(int i) {
  const TensorInfo& info = input(i);
  if (info.type == DataType::kInt64) return Real(i);
  if (info.is_constant) {
    const graph::TensorPtr constant = info.Constant();
    return NewConstant(absl::StrCat("input_", i),
                       Tensor::Of(DataType::kInt64, constant->shape(), constant->ToInt64()));
  }
  return Emit(graph::Cast{.to = DataType::kInt64}, {values_.Stored(tensor(i))},
              absl::StrCat("input_", i));
}

absl::StatusOr<size_t> OperatorBuilder::Rank(int i) const {
  const std::optional<size_t> rank = input(i).rank();
  if (!rank) return absl::UnimplementedError(absl::StrCat("input ", i, " of unknown rank"));
  return *rank;
}

absl::StatusOr<int64_t> OperatorBuilder::Axis(int i, int64_t axis) const {
  ASSIGN_OR_RETURN(const size_t rank, Rank(i));
  const std::optional<size_t> normal = graph::NormalizeAxis(axis, rank);
  if (!normal) {
    return absl::InvalidArgumentError(
        absl::StrCat("has the axis ", axis, ", input ", i, " has ", rank, " dimensions"));
  }
  return static_cast<int64_t>(*normal);
}

absl::StatusOr<std::vector<int64_t>> OperatorBuilder::Ints(int i) const {
  if (!has_input(i)) return absl::InvalidArgumentError(absl::StrCat("input ", i, " is missing"));
  const TensorInfo& info = input(i);
  const bool empty = info.shape && graph::KnownCount(*info.shape) == 0;
  if (!info.is_constant && !empty) {
    return absl::UnimplementedError(absl::StrCat("input ", i, " that is computed"));
  }
  if (info.type != DataType::kInt32 && info.type != DataType::kInt64) {
    return absl::InvalidArgumentError(absl::StrCat("input ", i, " is ", graph::TypeText(info.type),
                                                   ", int32 or int64 is wanted"));
  }
  return info.Constant()->ToInt64();
}

absl::StatusOr<int64_t> OperatorBuilder::Int(int i) const {
  ASSIGN_OR_RETURN(const std::vector<int64_t> values, Ints(i));
  if (values.size() == 1) return values[0];
  return absl::InvalidArgumentError(
      absl::StrCat("input ", i, " has ", values.size(), " elements, one is wanted"));
}

ValueId OperatorBuilder::NewConstant(const std::string& suffix, graph::TensorPtr tensor) {
  return values_.AddConstant(absl::StrCat(name_, "_", suffix), std::move(tensor));
}

ValueId OperatorBuilder::NewInt64s(const std::string& suffix, const std::vector<int64_t>& values) {
  return NewConstant(suffix,
                     Tensor::Of(DataType::kInt64, {static_cast<int64_t>(values.size())}, values));
}

ValueId OperatorBuilder::NewScalar(const std::string& suffix, float value) {
  return NewConstant(suffix, Tensor::Of(DataType::kFloat32, {}, std::vector<float>{value}));
}

ValueId OperatorBuilder::Emit(graph::Operation operation, std::vector<ValueId> inputs,
                              const std::string& suffix, size_t outputs) {
  return values_.Emit(suffix.empty() ? name_ : absl::StrCat(name_, "_", suffix),
                      std::move(operation), std::move(inputs), outputs);
}

absl::StatusOr<ValueId> OperatorBuilder::Activated(ValueId x,
                                                   schema::ActivationFunctionType function) {
  using Function = schema::ActivationFunctionType;
  Activation activation;
  switch (function) {
    case Function::NONE: return x;
    case Function::RELU: activation = {.kind = Activation::Kind::kRelu}; break;
    case Function::RELU_N1_TO_1:
      activation = {.kind = Activation::Kind::kClip, .alpha = -1.0f, .beta = 1.0f};
      break;
    case Function::RELU6:
      activation = {.kind = Activation::Kind::kClip, .alpha = 0.0f, .beta = 6.0f};
      break;
    case Function::TANH: activation = {.kind = Activation::Kind::kTanh}; break;
    default:
      return absl::UnimplementedError(
          absl::StrCat("fused activation function ", static_cast<int>(function)));
  }
  return Emit(
      graph::Eltwise{.function = graph::Eltwise::Function::kActivation, .activation = activation},
      {x}, "activation");
}

absl::Status OperatorBuilder::Return(ValueId value, schema::ActivationFunctionType function) {
  ASSIGN_OR_RETURN(value, Activated(value, function));
  return Return(value);
}

absl::Status OperatorBuilder::ReturnChannelsFirst(ValueId value,
                                                  schema::ActivationFunctionType function) {
  ASSIGN_OR_RETURN(value, Activated(value, function));
  return ReturnChannelsFirst(value);
}

}  // namespace fourfold::tflite
