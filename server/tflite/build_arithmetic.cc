#include <vector>

#include "absl/strings/str_cat.h"
#include "server/base/status_macros.h"
#include "server/tflite/builders.h"

namespace fourfold::tflite {
namespace {

using graph::Binary;
using graph::DataType;
using graph::Eltwise;
using graph::ValueId;
using kernels::Activation;

// Files may leave the options out where nothing is fused.
template <typename Options>
absl::Status BuildFused(OperatorBuilder& op, Binary::Operation operation) {
  const Options* options = op.OptionsOrNull<Options>();
  const ValueId result =
      op.Emit(Binary{.operation = operation, .activation = {}}, {op.Real(0), op.Real(1)});
  if (options == nullptr) return op.Return(result);
  return op.Return(result, options->fused_activation_function());
}

ValueId Multiplied(OperatorBuilder& op, ValueId a, ValueId b, const std::string& suffix = "") {
  return op.Emit(Binary{.operation = Binary::Operation::kMul, .activation = {}}, {a, b}, suffix);
}

}  // namespace

absl::Status BuildAdd(OperatorBuilder& op) {
  return BuildFused<schema::AddOptions>(op, Binary::Operation::kAdd);
}
absl::Status BuildSub(OperatorBuilder& op) {
  return BuildFused<schema::SubOptions>(op, Binary::Operation::kSub);
}
absl::Status BuildMul(OperatorBuilder& op) {
  return BuildFused<schema::MulOptions>(op, Binary::Operation::kMul);
}
absl::Status BuildDiv(OperatorBuilder& op) {
  return BuildFused<schema::DivOptions>(op, Binary::Operation::kDiv);
}

absl::Status BuildBinary(OperatorBuilder& op, Binary::Operation operation) {
  return op.Return(
      op.Emit(Binary{.operation = operation, .activation = {}}, {op.Real(0), op.Real(1)}));
}

absl::Status BuildSquare(OperatorBuilder& op) {
  return op.Return(Multiplied(op, op.Real(0), op.Real(0)));
}

absl::Status BuildSquaredDifference(OperatorBuilder& op) {
  const ValueId difference = op.Emit(Binary{.operation = Binary::Operation::kSub, .activation = {}},
                                     {op.Real(0), op.Real(1)}, "difference");
  return op.Return(Multiplied(op, difference, difference));
}

absl::Status BuildEltwise(OperatorBuilder& op, Eltwise::Function function) {
  return op.Return(op.Emit(Eltwise{.function = function, .activation = {}}, {op.Real(0)}));
}

absl::Status BuildRsqrt(OperatorBuilder& op) {
  const ValueId root = op.Emit(Eltwise{.function = Eltwise::Function::kSqrt, .activation = {}},
                               {op.Real(0)}, "sqrt");
  return op.Return(
      op.Emit(Eltwise{.function = Eltwise::Function::kReciprocal, .activation = {}}, {root}));
}

absl::Status BuildActivation(OperatorBuilder& op, Activation activation) {
  return op.Return(op.Emit(
      Eltwise{.function = Eltwise::Function::kActivation, .activation = activation}, {op.Real(0)}));
}

absl::Status BuildLeakyRelu(OperatorBuilder& op) {
  ASSIGN_OR_RETURN(const auto* options, op.OptionsOf<schema::LeakyReluOptions>());
  return BuildActivation(op, {.kind = Activation::Kind::kLeakyRelu, .alpha = options->alpha()});
}

// max(x, 0) + slope * min(x, 0)
absl::Status BuildPRelu(OperatorBuilder& op) {
  const ValueId x = op.Real(0);
  const ValueId above = op.Emit(Eltwise{.function = Eltwise::Function::kActivation,
                                        .activation = {.kind = Activation::Kind::kRelu}},
                                {x}, "above");
  const ValueId below = op.Emit(Binary{.operation = Binary::Operation::kMin, .activation = {}},
                                {x, op.NewScalar("zero", 0.0f)}, "below");
  return op.Return(op.Emit(Binary{}, {above, Multiplied(op, below, op.Real(1), "scaled")}));
}

absl::Status BuildReduce(OperatorBuilder& op, graph::Reduce::Operation operation) {
  ASSIGN_OR_RETURN(const auto* options, op.OptionsOf<schema::ReducerOptions>());
  graph::Reduce reduce;
  reduce.operation = operation;
  reduce.keep_dims = options->keep_dims();
  ASSIGN_OR_RETURN(const std::vector<int64_t> axes, op.Ints(1));
  for (int64_t axis : axes) {
    ASSIGN_OR_RETURN(axis, op.Axis(0, axis));
    reduce.axes.push_back(axis);
  }
  if (reduce.axes.empty()) return op.Return(op.Emit(graph::Identity{}, {op.Real(0)}));
  return op.Return(op.Emit(reduce, {op.Real(0)}));
}

absl::Status BuildCast(OperatorBuilder& op) {
  const DataType to = op.output(0).type;
  // The output's float16 form is made when it is defined.
  return op.Return(
      op.Emit(graph::Cast{.to = to == DataType::kFloat16 ? DataType::kFloat32 : to}, {op.Real(0)}));
}

absl::Status BuildRequantize(OperatorBuilder& op) {
  const TensorInfo& input = op.input(0);
  if (input.is_constant && input.type == DataType::kFloat16 &&
      op.output(0).type == DataType::kFloat32) {
    op.values().DefineAs(op.OutputTensor(0), op.tensor(0));  // weights: they stay float16
    return absl::OkStatus();
  }
  return op.Return(op.Real(0));
}

}  // namespace fourfold::tflite
