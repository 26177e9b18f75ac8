#include <limits>
#include <optional>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "server/base/status_macros.h"
#include "server/onnx/builders.h"

namespace fourfold::onnx {
namespace {

using graph::TensorPtr;
using graph::ValueId;
using kernels::Activation;

absl::Status EmitActivation(NodeBuilder& node, const Activation& activation) {
  node.Emit(
      graph::Eltwise{.function = graph::Eltwise::Function::kActivation, .activation = activation},
      {node.input(0)});
  return absl::OkStatus();
}

// A constant bound of Clip that float32 holds; nothing if it is computed, or an integer or float64
// that would lose something.
absl::StatusOr<std::optional<float>> Bound(NodeBuilder& node, int i) {
  const TensorPtr constant = node.Constant(i);
  if (!constant) return std::nullopt;
  if (constant->count() != 1) {
    return absl::InvalidArgumentError(absl::StrCat("input ", i, " has the shape ",
                                                   graph::ShapeText(constant->shape()),
                                                   ", one number is wanted"));
  }
  switch (constant->type()) {
    case graph::DataType::kFloat32:
    case graph::DataType::kFloat16:
    case graph::DataType::kBFloat16: return constant->ToFloat()[0];
    case graph::DataType::kInt8:
    case graph::DataType::kUint8: return static_cast<float>(constant->ToInt64()[0]);
    default: return std::nullopt;
  }
}

// min(max(x, bounds), ...) with bounds of any type, computed or not.
absl::Status EmitClip(NodeBuilder& node) {
  using Operation = graph::Binary::Operation;
  ValueId x = node.input(0);
  if (node.has_input(1)) {
    const ValueId y = node.has_input(2) ? node.NewValue("raised") : node.output(0);
    node.Emit(graph::Binary{.operation = Operation::kMax, .activation = {}}, {x, node.input(1)},
              {y});
    x = y;
  }
  if (node.has_input(2)) {
    node.Emit(graph::Binary{.operation = Operation::kMin, .activation = {}}, {x, node.input(2)});
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status BuildEltwise(NodeBuilder& node, graph::Eltwise::Function function) {
  node.Emit(graph::Eltwise{.function = function, .activation = {}}, {node.input(0)});
  return absl::OkStatus();
}

absl::Status BuildActivation(NodeBuilder& node, Activation::Kind kind) {
  return EmitActivation(node, {.kind = kind});
}

absl::Status BuildActivation(NodeBuilder& node, Activation::Kind kind, float default_alpha) {
  return EmitActivation(node,
                        {.kind = kind, .alpha = node.attributes().Float("alpha", default_alpha)});
}

absl::Status BuildFunction(NodeBuilder& node, graph::Eltwise::Function function,
                           const FunctionAttribute& alpha, const FunctionAttribute& beta) {
  Activation parameters;
  for (const auto& [attribute, target] :
       {std::pair{&alpha, &parameters.alpha}, std::pair{&beta, &parameters.beta}}) {
    if (attribute->name != nullptr) {
      *target = node.attributes().Float(attribute->name, attribute->fallback);
    }
  }
  node.Emit(graph::Eltwise{.function = function, .activation = parameters}, {node.input(0)});
  return absl::OkStatus();
}

absl::Status BuildGelu(NodeBuilder& node) {
  const std::string approximate = node.attributes().String("approximate", "none");
  if (approximate == "none") return BuildEltwise(node, graph::Eltwise::Function::kGelu);
  if (approximate == "tanh") return BuildEltwise(node, graph::Eltwise::Function::kGeluTanh);
  return absl::InvalidArgumentError(absl::StrCat("approximate is ", Quoted(approximate)));
}

absl::Status BuildIsInf(NodeBuilder& node) {
  graph::Eltwise function{.function = graph::Eltwise::Function::kIsInf, .activation = {}};
  const auto counts = [&](const char* name) {
    return node.attributes().Int(name, 1) != 0 ? 1.0f : 0.0f;
  };
  function.activation.alpha = counts("detect_negative");
  function.activation.beta = counts("detect_positive");
  node.Emit(function, {node.input(0)});
  return absl::OkStatus();
}

absl::Status BuildClipAttributes(NodeBuilder& node) {
  Activation clip{.kind = Activation::Kind::kClip};
  clip.alpha = node.attributes().Float("min", std::numeric_limits<float>::lowest());
  clip.beta = node.attributes().Float("max", std::numeric_limits<float>::max());
  return EmitActivation(node, clip);
}

absl::Status BuildClipInputs(NodeBuilder& node) {
  if (!node.has_input(1) && !node.has_input(2)) return BuildIdentity(node);
  Activation clip{.kind = Activation::Kind::kClip,
                  .alpha = std::numeric_limits<float>::lowest(),
                  .beta = std::numeric_limits<float>::max()};
  for (int i : {1, 2}) {
    if (!node.has_input(i)) continue;
    ASSIGN_OR_RETURN(const std::optional<float> bound, Bound(node, i));
    if (!bound) return EmitClip(node);
    (i == 1 ? clip.alpha : clip.beta) = *bound;
  }
  return EmitActivation(node, clip);
}

absl::Status BuildBinary(NodeBuilder& node, graph::Binary::Operation operation) {
  const int count = node.input_count();
  if (count == 1) return BuildIdentity(node);
  ValueId left = node.input(0);
  for (int i = 1; i < count; ++i) {
    if (!node.has_input(i))
      return absl::InvalidArgumentError(absl::StrCat("input ", i, " is missing"));
    const ValueId result =
        i + 1 == count ? node.output(0) : node.NewValue(absl::StrCat("partial_", i));
    node.Emit(graph::Binary{.operation = operation, .activation = {}}, {left, node.input(i)},
              {result});
    left = result;
  }
  return absl::OkStatus();
}

absl::Status BuildBitShift(NodeBuilder& node) {
  node.attributes().Require("direction");
  const std::string direction = node.attributes().String("direction", "LEFT");
  if (direction == "LEFT") return BuildBinary(node, graph::Binary::Operation::kShiftLeft);
  if (direction == "RIGHT") return BuildBinary(node, graph::Binary::Operation::kShiftRight);
  return absl::InvalidArgumentError(absl::StrCat("direction is ", Quoted(direction)));
}

absl::Status BuildMod(NodeBuilder& node) {
  const bool truncated = node.attributes().Int("fmod", 0) != 0;
  return BuildBinary(
      node, truncated ? graph::Binary::Operation::kRemainder : graph::Binary::Operation::kMod);
}

absl::Status BuildPow(NodeBuilder& node) {
  // Squares are what normalisations are made of: x * x is exactly rounded, as a power is not.
  const TensorPtr exponent = node.Constant(1);
  const bool square = exponent && exponent->shape().empty() &&
                      exponent->type() == graph::DataType::kFloat32 &&
                      exponent->ToFloat()[0] == 2.0f;
  if (!square) return BuildBinary(node, graph::Binary::Operation::kPow);
  node.Emit(graph::Binary{.operation = graph::Binary::Operation::kMul, .activation = {}},
            {node.input(0), node.input(0)});
  return absl::OkStatus();
}

absl::Status BuildCompare(NodeBuilder& node, graph::Compare::Operation operation) {
  node.Emit(graph::Compare{.operation = operation}, node.inputs());
  return absl::OkStatus();
}

absl::Status BuildPRelu(NodeBuilder& node) {
  node.Emit(graph::PRelu{}, node.inputs());
  return absl::OkStatus();
}

absl::Status BuildWhere(NodeBuilder& node) {
  node.Emit(graph::Where{}, node.inputs());
  return absl::OkStatus();
}

absl::Status BuildSoftmax(NodeBuilder& node, bool logarithm) {
  graph::Softmax softmax;
  softmax.flatten = node.opset() < 13;
  softmax.axis = node.attributes().Int("axis", softmax.flatten ? 1 : -1);
  softmax.logarithm = logarithm;
  node.Emit(softmax, {node.input(0)});
  return absl::OkStatus();
}

absl::Status BuildHardmax(NodeBuilder& node) {
  graph::Hardmax hardmax;
  hardmax.flatten = node.opset() < 13;
  hardmax.axis = node.attributes().Int("axis", hardmax.flatten ? 1 : -1);
  node.Emit(hardmax, {node.input(0)});
  return absl::OkStatus();
}

absl::Status BuildArgReduce(NodeBuilder& node, bool minimum) {
  graph::ArgReduce reduce;
  reduce.minimum = minimum;
  reduce.axis = node.attributes().Int("axis", 0);
  reduce.keep_dims = node.attributes().Int("keepdims", 1) != 0;
  if (node.opset() >= 12) {
    reduce.select_last = node.attributes().Int("select_last_index", 0) != 0;
  }
  node.Emit(reduce, {node.input(0)});
  return absl::OkStatus();
}

absl::Status BuildCumSum(NodeBuilder& node) {
  graph::CumSum sum;
  sum.exclusive = node.attributes().Int("exclusive", 0) != 0;
  sum.reverse = node.attributes().Int("reverse", 0) != 0;
  node.Emit(sum, node.inputs());
  return absl::OkStatus();
}

absl::Status BuildReduce(NodeBuilder& node, graph::Reduce::Operation operation) {
  graph::Reduce reduce;
  reduce.operation = operation;
  reduce.axes = node.attributes().Ints("axes");
  reduce.keep_dims = node.attributes().Int("keepdims", 1) != 0;
  node.Emit(reduce, {node.input(0)});
  return absl::OkStatus();
}

absl::Status BuildReduceInput(NodeBuilder& node, graph::Reduce::Operation operation) {
  graph::Reduce reduce;
  reduce.operation = operation;
  reduce.keep_dims = node.attributes().Int("keepdims", 1) != 0;
  reduce.noop_with_empty_axes = node.attributes().Int("noop_with_empty_axes", 0) != 0;
  node.Emit(reduce, {node.input(0), node.input(1)});
  return absl::OkStatus();
}

}  // namespace fourfold::onnx
