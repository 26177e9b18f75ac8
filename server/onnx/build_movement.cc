#include <limits>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "server/base/status_macros.h"
#include "server/onnx/builders.h"
#include "server/onnx/shared_attributes.h"

namespace fourfold::onnx {
namespace {

using graph::kNoValue;
using graph::TensorPtr;
using graph::ValueId;

absl::StatusOr<graph::Pad> ReadPadMode(NodeBuilder& node) {
  using Mode = graph::Pad::Mode;
  ASSIGN_OR_RETURN(const Mode mode, Choice<Mode>(node, "mode", "constant",
                                                 {{"constant", Mode::kConstant},
                                                  {"reflect", Mode::kReflect},
                                                  {"edge", Mode::kEdge},
                                                  {"wrap", Mode::kWrap}}));
  return graph::Pad{.mode = mode};
}

void EmitSlice(NodeBuilder& node, ValueId starts, ValueId ends, int64_t axis, int output) {
  node.Emit(graph::Slice{}, {node.input(0), starts, ends, node.NewInt64s("axis", {axis})},
            {node.output(output)});
}

// Unknown also where there is no such axis, which the slices report.
int64_t DimensionAt(const graph::Shape& shape, int64_t axis) {
  const auto rank = static_cast<int64_t>(shape.size());
  if (axis < -rank || axis >= rank) return graph::kUnknownDim;
  return shape[static_cast<size_t>(axis < 0 ? axis + rank : axis)];
}

// Parts of the given sizes along the axis.
absl::Status SplitBySizes(NodeBuilder& node, int64_t axis, const std::vector<int64_t>& sizes) {
  if (sizes.size() != static_cast<size_t>(node.output_count())) {
    return absl::InvalidArgumentError(
        absl::StrCat("has ", sizes.size(), " sizes for ", node.output_count(), " outputs"));
  }
  int64_t start = 0;
  for (int i = 0; i < node.output_count(); ++i) {
    const int64_t size = sizes[static_cast<size_t>(i)];
    if (size < 0 || size > std::numeric_limits<int64_t>::max() - start) {
      return absl::InvalidArgumentError(absl::StrCat("part ", i, " has the size ", size));
    }
    EmitSlice(node, node.NewInt64s("start", {start}), node.NewInt64s("end", {start + size}), axis,
              i);
    start += size;
  }
  node.CheckShapeLater(0, [axis, sum = start](const graph::Shape& shape) -> std::string {
    const int64_t dim = DimensionAt(shape, axis);
    if (dim == sum || dim == graph::kUnknownDim) return "";
    return absl::StrCat("the parts along axis ", axis, " add up to ", sum);
  });
  return absl::OkStatus();
}

// Parts whose sizes only a call will tell: running sums of the elements of `sizes`.
void SplitByComputedSizes(NodeBuilder& node, int64_t axis, ValueId sizes) {
  ValueId start = node.NewInt64s("start", {0});
  for (int i = 0; i < node.output_count(); ++i) {
    const ValueId size = node.NewValue("size"), end = node.NewValue("end");
    node.Emit(graph::Slice{},
              {sizes, node.NewInt64s("number", {i}), node.NewInt64s("number", {i + 1})}, {size});
    node.Emit(graph::Binary{.operation = graph::Binary::Operation::kAdd, .activation = {}},
              {start, size}, {end});
    EmitSlice(node, start, end, axis, i);
    start = end;
  }
}

// Parts of ceil(dimension / outputs), the last one smaller. The dimension may be known only to a
// call, so the bounds are computed from Shape; constant folding leaves numbers of it.
absl::Status SplitEvenly(NodeBuilder& node, int64_t axis) {
  using Operation = graph::Binary::Operation;
  const int parts = node.output_count();
  constexpr int64_t kUnevenSince = 18;
  if (node.opset() < kUnevenSince) {
    node.CheckShapeLater(0, [axis, parts](const graph::Shape& shape) -> std::string {
      const int64_t dim = DimensionAt(shape, axis);
      if (dim == graph::kUnknownDim || dim % parts == 0) return "";
      return absl::StrCat("of which axis ", axis, " has no ", parts, " equal parts");
    });
  }
  const auto binary = [&](Operation operation, ValueId left, int64_t right, const char* name) {
    const ValueId result = node.NewValue(name);
    node.Emit(graph::Binary{.operation = operation, .activation = {}},
              {left, node.NewInt64s("number", {right})}, {result});
    return result;
  };
  graph::ShapeOf shape{.start = axis, .end = {}};
  if (axis != -1) shape.end = axis + 1;
  const ValueId dimension = node.NewValue("dimension");
  node.Emit(shape, {node.input(0)}, {dimension});
  const ValueId part = binary(
      Operation::kDiv, binary(Operation::kAdd, dimension, parts - 1, "padded"), parts, "part");
  ValueId start = node.NewInt64s("start", {0});
  for (int i = 0; i < parts; ++i) {
    const ValueId end = i + 1 == parts
                            ? node.NewInt64s("end", {std::numeric_limits<int64_t>::max()})
                            : binary(Operation::kMul, part, i + 1, "end");
    EmitSlice(node, start, end, axis, i);
    start = end;
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status BuildIdentity(NodeBuilder& node) {
  if (node.IsSequence(0)) {
    ASSIGN_OR_RETURN(std::vector<ValueId> tensors, node.Sequence(0));
    return node.SetSequence(std::move(tensors));
  }
  node.Emit(graph::Identity{}, {node.input(0)});
  return absl::OkStatus();
}

absl::Status BuildConcat(NodeBuilder& node) {
  node.attributes().Require("axis");
  for (int i = 0; i < node.input_count(); ++i) {
    if (!node.has_input(i))
      return absl::InvalidArgumentError(absl::StrCat("input ", i, " is missing"));
  }
  node.Emit(graph::Concat{.axis = node.attributes().Int("axis", 0)}, node.inputs());
  return absl::OkStatus();
}

absl::Status BuildPadAttributes(NodeBuilder& node) {
  node.attributes().Require("pads");
  ASSIGN_OR_RETURN(const graph::Pad pad, ReadPadMode(node));
  const ValueId pads = node.NewInt64s("pads", node.attributes().Ints("pads"));
  const float value = node.attributes().Float("value", 0.0f);
  node.Emit(pad, {node.input(0), pads, value == 0.0f ? kNoValue : node.NewScalar("value", value)});
  return absl::OkStatus();
}

absl::Status BuildPadInputs(NodeBuilder& node) {
  ASSIGN_OR_RETURN(const graph::Pad pad, ReadPadMode(node));
  node.Emit(pad, node.inputs());
  return absl::OkStatus();
}

absl::Status BuildTranspose(NodeBuilder& node) {
  node.Emit(graph::Transpose{.permutation = node.attributes().Ints("perm")}, {node.input(0)});
  return absl::OkStatus();
}

absl::Status BuildReshape(NodeBuilder& node) {
  const bool allow_zero = node.opset() >= 14 && node.attributes().Int("allowzero", 0) != 0;
  node.Emit(graph::Reshape{.allow_zero = allow_zero}, node.inputs());
  return absl::OkStatus();
}

absl::Status BuildFlatten(NodeBuilder& node) {
  node.Emit(graph::Flatten{.axis = node.attributes().Int("axis", 1)}, {node.input(0)});
  return absl::OkStatus();
}

absl::Status BuildSqueezeAttributes(NodeBuilder& node) {
  const std::vector<int64_t> axes = node.attributes().Ints("axes");
  node.Emit(graph::Squeeze{},
            {node.input(0), axes.empty() ? kNoValue : node.NewInt64s("axes", axes)});
  return absl::OkStatus();
}

absl::Status BuildSqueezeInputs(NodeBuilder& node) {
  node.Emit(graph::Squeeze{}, node.inputs());
  return absl::OkStatus();
}

absl::Status BuildUnsqueezeAttributes(NodeBuilder& node) {
  node.attributes().Require("axes");
  node.Emit(graph::Unsqueeze{},
            {node.input(0), node.NewInt64s("axes", node.attributes().Ints("axes"))});
  return absl::OkStatus();
}

absl::Status BuildUnsqueezeInputs(NodeBuilder& node) {
  node.Emit(graph::Unsqueeze{}, node.inputs());
  return absl::OkStatus();
}

absl::Status BuildSliceAttributes(NodeBuilder& node) {
  Attributes& attributes = node.attributes();
  attributes.Require("starts");
  attributes.Require("ends");
  const std::vector<int64_t> starts = attributes.Ints("starts");
  const std::vector<int64_t> ends = attributes.Ints("ends");
  const std::vector<int64_t> axes = attributes.Ints("axes");
  if (starts.size() != ends.size() || (!axes.empty() && axes.size() != starts.size())) {
    return absl::InvalidArgumentError(absl::StrCat("has ", starts.size(), " starts, ", ends.size(),
                                                   " ends and ", axes.size(), " axes"));
  }
  node.Emit(graph::Slice{},
            {node.input(0), node.NewInt64s("starts", starts), node.NewInt64s("ends", ends),
             axes.empty() ? kNoValue : node.NewInt64s("axes", axes)});
  return absl::OkStatus();
}

absl::Status BuildSliceInputs(NodeBuilder& node) {
  node.Emit(graph::Slice{}, node.inputs());
  return absl::OkStatus();
}

absl::Status BuildSplitAttributes(NodeBuilder& node) {
  const int64_t axis = node.attributes().Int("axis", 0);
  const std::vector<int64_t> sizes = node.attributes().Ints("split");
  return sizes.empty() ? SplitEvenly(node, axis) : SplitBySizes(node, axis, sizes);
}

absl::Status BuildSplitInputs(NodeBuilder& node) {
  const int64_t axis = node.attributes().Int("axis", 0);
  const int64_t parts = node.attributes().Int("num_outputs", node.output_count());
  if (parts != node.output_count()) {
    return absl::InvalidArgumentError(absl::StrCat("attribute \"num_outputs\" is ", parts, ", ",
                                                   node.output_count(), " outputs are there"));
  }
  if (!node.has_input(1)) return SplitEvenly(node, axis);
  const TensorPtr sizes = node.Constant(1);
  if (!sizes) {
    SplitByComputedSizes(node, axis, node.input(1));
    return absl::OkStatus();
  }
  if (sizes->type() != graph::DataType::kInt64) {
    return absl::InvalidArgumentError(
        absl::StrCat("input 1 is ", graph::TypeText(sizes->type()), ", int64 is wanted"));
  }
  return SplitBySizes(node, axis, sizes->ToInt64());
}

absl::Status BuildExpand(NodeBuilder& node) {
  node.Emit(graph::Expand{}, node.inputs());
  return absl::OkStatus();
}

}  // namespace fourfold::onnx
