#include <limits>
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

// A bound of Clip: one constant number, or `fallback` where the input is absent.
absl::StatusOr<float> Bound(NodeBuilder& node, int i, float fallback) {
  if (!node.has_input(i)) return fallback;
  const TensorPtr constant = node.Constant(i);
  if (!constant) return absl::UnimplementedError("bounds that are not constant");
  if (constant->count() != 1) {
    return absl::InvalidArgumentError(absl::StrCat("input ", i, " has the shape ",
                                                   graph::ShapeText(constant->shape()),
                                                   ", one number is wanted"));
  }
  switch (constant->type()) {
    case graph::DataType::kFloat32:
    case graph::DataType::kFloat16: return constant->ToFloat()[0];
    case graph::DataType::kInt8:
    case graph::DataType::kUint8: return static_cast<float>(constant->ToInt64()[0]);
    default:
      return absl::UnimplementedError(
          absl::StrCat("bounds of type ", graph::TypeText(constant->type())));
  }
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

absl::Status BuildHardSigmoid(NodeBuilder& node) {
  Activation parameters;
  parameters.alpha = node.attributes().Float("alpha", 0.2f);
  parameters.beta = node.attributes().Float("beta", 0.5f);
  node.Emit(
      graph::Eltwise{.function = graph::Eltwise::Function::kHardSigmoid, .activation = parameters},
      {node.input(0)});
  return absl::OkStatus();
}

absl::Status BuildGelu(NodeBuilder& node) {
  const std::string approximate = node.attributes().String("approximate", "none");
  if (approximate != "none") {
    return absl::UnimplementedError(absl::StrCat("approximate ", Quoted(approximate)));
  }
  return BuildEltwise(node, graph::Eltwise::Function::kGelu);
}

absl::Status BuildClipAttributes(NodeBuilder& node) {
  Activation clip{.kind = Activation::Kind::kClip};
  clip.alpha = node.attributes().Float("min", std::numeric_limits<float>::lowest());
  clip.beta = node.attributes().Float("max", std::numeric_limits<float>::max());
  return EmitActivation(node, clip);
}

absl::Status BuildClipInputs(NodeBuilder& node) {
  Activation clip{.kind = Activation::Kind::kClip};
  ASSIGN_OR_RETURN(clip.alpha, Bound(node, 1, std::numeric_limits<float>::lowest()));
  ASSIGN_OR_RETURN(clip.beta, Bound(node, 2, std::numeric_limits<float>::max()));
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

absl::Status BuildSoftmax(NodeBuilder& node, bool logarithm) {
  graph::Softmax softmax;
  softmax.flatten = node.opset() < 13;
  softmax.axis = node.attributes().Int("axis", softmax.flatten ? 1 : -1);
  softmax.logarithm = logarithm;
  node.Emit(softmax, {node.input(0)});
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
