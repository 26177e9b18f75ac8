#include <array>
#include <map>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/base/status_macros.h"
#include "server/tflite/builders.h"

namespace fourfold::tflite {
namespace {

using graph::Binary;
using graph::DataType;
using graph::Eltwise;
using graph::kNoValue;
using graph::Tensor;
using graph::ValueId;
using kernels::Activation;
using schema::ActivationFunctionType;

// Inputs by position; of the gates always input, forget, cell, output.
constexpr int kInput = 0, kInputWeights = 1, kRecurrentWeights = 5, kPeepholes = 9, kBiases = 12,
              kProjection = 16, kHiddenState = 18, kCellState = 19, kLayerNorm = 20;
constexpr int kGates = 4;
// The graph has the gates in this order: those with a sigmoid stand together.
constexpr std::array<int, kGates> kOrder = {0, 1, 3, 2};
constexpr int64_t kMostSteps = 512;  // each becomes some nodes of the graph

struct LstmShape {
  int64_t steps = 0, inputs = 0, hidden = 0;
  int64_t time_axis = 1;
};

// The numbers of a constant of the given shape, in 8 bits or float.
absl::StatusOr<std::vector<float>> Numbers(const OperatorBuilder& op, int i,
                                           const graph::Shape& shape) {
  const TensorInfo& info = op.input(i);
  if (!info.is_constant) return absl::UnimplementedError(absl::StrCat("input ", i, " is computed"));
  if (*info.shape != shape) {
    return absl::InvalidArgumentError(absl::StrCat("input ", i, " has the shape ",
                                                   graph::ShapeText(*info.shape), ", wanted ",
                                                   graph::ShapeText(shape)));
  }
  if (info.type == DataType::kFloat32 || info.type == DataType::kFloat16) {
    return info.Constant()->ToFloat();
  }
  if (!info.quantized() || !info.quantization->per_tensor()) {
    return absl::UnimplementedError(absl::StrCat("input ", i, " of ", graph::TypeText(info.type)));
  }
  const kernels::QuantParams how = info.quantization->params();
  std::vector<float> numbers;
  for (int64_t stored : info.Constant()->ToInt64()) {
    numbers.push_back(how.scale * static_cast<float>(stored - how.zero_point));
  }
  return numbers;
}

absl::StatusOr<LstmShape> ReadShape(const OperatorBuilder& op, bool time_major) {
  for (int i = kPeepholes; i < op.input_count(); ++i) {
    if (!op.has_input(i)) continue;
    if (i < kBiases) return absl::UnimplementedError("peepholes");
    if (i >= kProjection && i < kHiddenState) return absl::UnimplementedError("a projection");
    if (i >= kLayerNorm) return absl::UnimplementedError("layer normalization");
  }
  if (!op.has_input(kInputWeights) || !op.has_input(kRecurrentWeights)) {
    return absl::UnimplementedError("coupled input and forget gates");
  }
  for (int gate = 0; gate < kGates; ++gate) {
    for (int first : {kInputWeights, kRecurrentWeights, kBiases}) {
      if (op.has_input(first + gate)) continue;
      return absl::InvalidArgumentError(absl::StrCat("input ", first + gate, " is missing"));
    }
  }
  for (int i : {kHiddenState, kCellState}) {
    if (!op.has_input(i) || !op.input(i).is_variable) {
      return absl::UnimplementedError("an initial state that is computed");
    }
  }
  const TensorInfo& x = op.input(kInput);
  if (x.type != DataType::kFloat32) {
    return absl::UnimplementedError(absl::StrCat("input of ", graph::TypeText(x.type)));
  }
  const TensorInfo& weights = op.input(kInputWeights);
  if (x.rank() != 3 || weights.rank() != 2) {
    return absl::InvalidArgumentError("wants an input of 3 dimensions and weights of 2");
  }
  LstmShape shape;
  shape.time_axis = time_major ? 0 : 1;
  shape.steps = (*x.shape)[static_cast<size_t>(shape.time_axis)];
  shape.hidden = (*weights.shape)[0];
  shape.inputs = (*weights.shape)[1];
  if (shape.steps < 0) return absl::UnimplementedError("a number of steps that a call decides");
  if (shape.steps > kMostSteps) {
    return absl::UnimplementedError(
        absl::StrCat(shape.steps, " steps, at most ", kMostSteps, " are supported"));
  }
  if (shape.steps < 1 || shape.hidden < 1 || shape.inputs < 1) {
    return absl::InvalidArgumentError(absl::StrCat("has ", shape.steps, " steps, ", shape.inputs,
                                                   " inputs and ", shape.hidden, " cells"));
  }
  return shape;
}

// The gates' constants from position `first` on, one behind another.
absl::StatusOr<std::vector<float>> OfAllGates(const OperatorBuilder& op, int first,
                                              const graph::Shape& shape) {
  std::vector<float> all;
  for (int gate : kOrder) {
    ASSIGN_OR_RETURN(const std::vector<float> one, Numbers(op, first + gate, shape));
    all.insert(all.end(), one.begin(), one.end());
  }
  return all;
}

// Emits one time step after another.
class Lstm {
 public:
  Lstm(OperatorBuilder& op, const LstmShape& shape,
       const schema::UnidirectionalSequenceLSTMOptions& options)
      : op_(op), shape_(shape), options_(options) {}

  absl::Status Build() {
    const int64_t rows = kGates * shape_.hidden;
    ASSIGN_OR_RETURN(const std::vector<float> weights,
                     OfAllGates(op_, kInputWeights, {shape_.hidden, shape_.inputs}));
    ASSIGN_OR_RETURN(const std::vector<float> recurrent,
                     OfAllGates(op_, kRecurrentWeights, {shape_.hidden, shape_.hidden}));
    ASSIGN_OR_RETURN(const std::vector<float> bias, OfAllGates(op_, kBiases, {shape_.hidden}));
    graph::MatMul matmul;
    matmul.transpose_rhs = true;
    const ValueId all_steps =
        op_.Emit(matmul,
                 {op_.Real(kInput), Floats("weights", {rows, shape_.inputs}, weights),
                  Floats("bias", {rows}, bias)},
                 "inputs");
    const ValueId recurrence = Floats("recurrence", {rows, shape_.hidden}, recurrent);
    ValueId hidden = kNoValue, cell = kNoValue;  // zeros before the first step
    std::vector<ValueId> results;
    for (int64_t t = 0; t < shape_.steps; ++t) {
      ValueId gates = Reshaped(graph::Squeeze{}, Part(all_steps, shape_.time_axis, t, t + 1));
      if (hidden != kNoValue) {
        gates = op_.Emit(Binary{}, {op_.Emit(matmul, {hidden, recurrence}, "recurrent"), gates},
                         "gates");
      }
      RETURN_IF_ERROR(Step(gates, cell, hidden));
      results.push_back(Reshaped(graph::Unsqueeze{}, hidden));
    }
    return op_.Return(op_.Emit(graph::Concat{.axis = shape_.time_axis}, results));
  }

 private:
  // cell = forget * cell + input * f(candidate), bounded; hidden = output * f(cell)
  absl::Status Step(ValueId gates, ValueId& cell, ValueId& hidden) {
    const int64_t h = shape_.hidden;
    const ValueId open =
        op_.Emit(Eltwise{Eltwise::Function::kActivation, {.kind = Activation::Kind::kSigmoid}},
                 {Part(gates, 1, 0, 3 * h)}, "open");
    ASSIGN_OR_RETURN(const ValueId candidate, op_.Activated(Part(gates, 1, 3 * h, 4 * h),
                                                            options_.fused_activation_function()));
    const ValueId added = Product(Part(open, 1, 0, h), candidate);
    cell = cell == kNoValue
               ? added
               : op_.Emit(Binary{}, {Product(Part(open, 1, h, 2 * h), cell), added}, "cell");
    if (options_.cell_clip() > 0.0f) {
      cell =
          op_.Emit(Eltwise{Eltwise::Function::kActivation,
                           {Activation::Kind::kClip, -options_.cell_clip(), options_.cell_clip()}},
                   {cell}, "clipped");
    }
    ASSIGN_OR_RETURN(const ValueId shown,
                     op_.Activated(cell, options_.fused_activation_function()));
    hidden = Product(Part(open, 1, 2 * h, 3 * h), shown);
    return absl::OkStatus();
  }

  ValueId Floats(const std::string& suffix, const graph::Shape& shape,
                 const std::vector<float>& values) {
    return op_.NewConstant(suffix, Tensor::Of(DataType::kFloat32, shape, values));
  }

  ValueId Part(ValueId x, int64_t axis, int64_t start, int64_t end) {
    return op_.Emit(graph::Slice{}, {x, Number(start), Number(end), Number(axis)}, "part");
  }

  ValueId Reshaped(graph::Operation operation, ValueId x) {
    return op_.Emit(std::move(operation), {x, Number(shape_.time_axis)}, "step");
  }

  ValueId Product(ValueId a, ValueId b) {
    return op_.Emit(Binary{.operation = Binary::Operation::kMul, .activation = {}}, {a, b},
                    "product");
  }

  // A vector of one integer, made once.
  ValueId Number(int64_t value) {
    const auto [entry, fresh] = numbers_.try_emplace(value, kNoValue);
    if (fresh) entry->second = op_.NewInt64s("number", {value});
    return entry->second;
  }

  OperatorBuilder& op_;
  const LstmShape shape_;
  const schema::UnidirectionalSequenceLSTMOptions& options_;
  std::map<int64_t, ValueId> numbers_;
};

}  // namespace

// One step after another: a bound of the cell state, which converters set, has no place in
// graph::Recurrent.
absl::Status BuildUnidirectionalLstm(OperatorBuilder& op) {
  ASSIGN_OR_RETURN(const auto* options, op.OptionsOf<schema::UnidirectionalSequenceLSTMOptions>());
  if (!(options->cell_clip() >= 0.0f) || options->proj_clip() != 0.0f) {
    return absl::UnimplementedError(
        absl::StrCat("cell_clip ", options->cell_clip(), ", proj_clip ", options->proj_clip()));
  }
  ASSIGN_OR_RETURN(const LstmShape shape, ReadShape(op, options->time_major()));
  return Lstm(op, shape, *options).Build();
}

}  // namespace fourfold::tflite
