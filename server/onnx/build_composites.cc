#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "server/base/status_macros.h"
#include "server/graph/evaluate_numbers.h"
#include "server/onnx/builders.h"

// Operators that are several nodes of the graph.
namespace fourfold::onnx {
namespace {

using graph::Binary;
using graph::DataType;
using graph::ValueId;
using Loss = graph::NegativeLogLikelihood;

// One number in the type of the node's first input.
absl::StatusOr<ValueId> NumberLike(NodeBuilder& node, const std::string& suffix, double value) {
  const std::optional<DataType> type = node.TypeOf(node.input(0));
  if (!type) return absl::UnimplementedError("the type of its input");
  const graph::TensorPtr number =
      graph::Tensor::Of(DataType::kFloat64, {}, std::vector<double>{value});
  return node.NewConstant(suffix, graph::CastNumbers(*number, *type));
}

ValueId Emit(NodeBuilder& node, const std::string& suffix, graph::Operation operation,
             std::vector<ValueId> inputs) {
  const ValueId result = node.NewValue(suffix);
  node.Emit(std::move(operation), std::move(inputs), {result});
  return result;
}

Binary Arithmetic(Binary::Operation operation) {
  return {.operation = operation, .activation = {}};
}

absl::StatusOr<Loss> LossOf(NodeBuilder& node) {
  Loss loss;
  const std::string reduction = node.attributes().String("reduction", "mean");
  if (reduction == "none") {
    loss.reduction = Loss::Reduction::kNone;
  } else if (reduction == "sum") {
    loss.reduction = Loss::Reduction::kSum;
  } else if (reduction != "mean") {
    return absl::InvalidArgumentError(absl::StrCat("reduction is ", Quoted(reduction)));
  }
  if (node.attributes().Has("ignore_index")) {
    loss.ignore_index = node.attributes().Int("ignore_index", 0);
  }
  return loss;
}

}  // namespace

absl::Status BuildMean(NodeBuilder& node) {
  const int count = node.input_count();
  if (count == 1) return BuildIdentity(node);
  ValueId sum = node.input(0);
  for (int i = 1; i < count; ++i) {
    if (!node.has_input(i))
      return absl::InvalidArgumentError(absl::StrCat("input ", i, " is missing"));
    sum = Emit(node, absl::StrCat("sum_", i), Arithmetic(Binary::Operation::kAdd),
               {sum, node.input(i)});
  }
  ASSIGN_OR_RETURN(const ValueId number, NumberLike(node, "count", count));
  node.Emit(Arithmetic(Binary::Operation::kDiv), {sum, number});
  return absl::OkStatus();
}

// (x - mean) / (standard deviation + 1e-9)
absl::Status BuildMeanVarianceNormalization(NodeBuilder& node) {
  graph::Reduce mean;
  mean.axes = node.attributes().Ints("axes");
  if (mean.axes.empty()) mean.axes = {0, 2, 3};
  ASSIGN_OR_RETURN(const ValueId tiny, NumberLike(node, "tiny", 1e-9));
  const ValueId x = node.input(0);
  const ValueId average = Emit(node, "mean", mean, {x});
  const ValueId centered =
      Emit(node, "centered", Arithmetic(Binary::Operation::kSub), {x, average});
  const ValueId squares =
      Emit(node, "squares", Arithmetic(Binary::Operation::kMul), {centered, centered});
  const ValueId variance = Emit(node, "variance", mean, {squares});
  const ValueId deviation = Emit(
      node, "deviation",
      graph::Eltwise{.function = graph::Eltwise::Function::kSqrt, .activation = {}}, {variance});
  const ValueId divisor =
      Emit(node, "divisor", Arithmetic(Binary::Operation::kAdd), {deviation, tiny});
  node.Emit(Arithmetic(Binary::Operation::kDiv), {centered, divisor});
  return absl::OkStatus();
}

absl::Status BuildLikelihoodLoss(NodeBuilder& node) {
  ASSIGN_OR_RETURN(const Loss loss, LossOf(node));
  node.Emit(loss, node.inputs());
  return absl::OkStatus();
}

// The negative log likelihood of LogSoftmax over the classes, which is an output too.
absl::Status BuildCrossEntropyLoss(NodeBuilder& node) {
  ASSIGN_OR_RETURN(const Loss loss, LossOf(node));
  graph::Softmax softmax;
  softmax.axis = 1;
  softmax.logarithm = true;
  const ValueId likelihood = node.output(1);
  node.Emit(softmax, {node.input(0)}, {likelihood});
  node.Emit(loss, {likelihood, node.input(1), node.input(2)});
  return absl::OkStatus();
}

}  // namespace fourfold::onnx
