// Sequences of tensors exist while a model is imported: where their length and the positions in
// them are known, each of their tensors is an ordinary value.

#include <algorithm>
#include <limits>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/base/status_macros.h"
#include "server/onnx/builders.h"

namespace fourfold::onnx {
namespace {

using graph::DataType;
using graph::kNoValue;
using graph::TensorPtr;
using graph::ValueId;

using Tensors = std::vector<ValueId>;

// A position in a sequence: `fallback` where the input is absent, from the end where it is
// negative.
absl::StatusOr<size_t> ReadPosition(NodeBuilder& node, int i, size_t count, size_t fallback) {
  if (!node.has_input(i)) {
    if (fallback < count) return fallback;
    return absl::InvalidArgumentError("the sequence is empty");
  }
  const TensorPtr tensor = node.Constant(i);
  if (!tensor) return absl::UnimplementedError("a position that depends on the data");
  if (tensor->count() != 1 ||
      (tensor->type() != DataType::kInt64 && tensor->type() != DataType::kInt32)) {
    return absl::InvalidArgumentError(
        absl::StrCat("input ", i, " is ", graph::TypeText(tensor->type()), " ",
                     graph::ShapeText(tensor->shape()), ", one int32 or int64 is wanted"));
  }
  const auto length = static_cast<int64_t>(count);
  const int64_t position = tensor->ToInt64()[0];
  if (position < -length || position >= length) {
    return absl::InvalidArgumentError(
        absl::StrCat("position ", position, " is outside of 0 to ", length - 1));
  }
  return static_cast<size_t>(position < 0 ? position + length : position);
}

// x[start:end] along the axis.
ValueId Part(NodeBuilder& node, int64_t start, int64_t end, int64_t axis) {
  const ValueId part = node.NewValue("part");
  node.Emit(graph::Slice{},
            {node.input(0), node.NewInt64s("start", {start}), node.NewInt64s("end", {end}),
             node.NewInt64s("axis", {axis})},
            {part});
  return part;
}

// The length of the input along the axis; UNIMPLEMENTED where only a call will tell.
absl::StatusOr<int64_t> LengthOf(NodeBuilder& node, int64_t axis) {
  const std::optional<graph::Shape> shape = node.InferredShape(node.input(0));
  if (!shape) return absl::UnimplementedError("an input of unknown rank");
  const auto rank = static_cast<int64_t>(shape->size());
  if (axis < -rank || axis >= rank) {
    return absl::InvalidArgumentError(
        absl::StrCat("has the axis ", axis, " of ", rank, " dimensions"));
  }
  const int64_t length = (*shape)[static_cast<size_t>(axis < 0 ? axis + rank : axis)];
  if (length == graph::kUnknownDim) {
    return absl::UnimplementedError("a number of parts that only a call will tell");
  }
  return length;
}

// The sizes that SplitToSequence's second input asks for.
absl::StatusOr<std::vector<int64_t>> ReadSizes(NodeBuilder& node, int64_t axis) {
  TensorPtr split;
  if (node.has_input(1)) {
    split = node.Constant(1);
    if (!split) return absl::UnimplementedError("sizes that depend on the data");
    if (split->type() != DataType::kInt64 && split->type() != DataType::kInt32) {
      return absl::InvalidArgumentError(absl::StrCat("input 1 is ", graph::TypeText(split->type()),
                                                     ", int32 or int64 is wanted"));
    }
    if (!split->shape().empty()) return split->ToInt64();
  }
  const int64_t size = split ? split->ToInt64()[0] : 1;
  if (size < 1) return absl::InvalidArgumentError(absl::StrCat("has parts of the size ", size));
  ASSIGN_OR_RETURN(const int64_t length, LengthOf(node, axis));
  constexpr int64_t kMostParts = 65536;
  if ((length - 1) / size + 1 > kMostParts) {
    return absl::InvalidArgumentError(
        absl::StrCat("makes more than ", kMostParts, " tensors, the limit"));
  }
  std::vector<int64_t> sizes;
  for (int64_t start = 0; start < length; start += size) {
    sizes.push_back(std::min(size, length - start));
  }
  return sizes;
}

}  // namespace

absl::Status BuildSequenceConstruct(NodeBuilder& node) {
  Tensors tensors;
  for (int i = 0; i < node.input_count(); ++i) {
    if (!node.has_input(i))
      return absl::InvalidArgumentError(absl::StrCat("input ", i, " is missing"));
    tensors.push_back(node.input(i));
  }
  return node.SetSequence(std::move(tensors));
}

absl::Status BuildSequenceEmpty(NodeBuilder& node) {
  node.attributes().Ignore("dtype");
  return node.SetSequence({});
}

absl::Status BuildSequenceInsert(NodeBuilder& node) {
  if (node.IsSequence(1)) return absl::UnimplementedError("a sequence in a sequence");
  ASSIGN_OR_RETURN(Tensors tensors, node.Sequence(0));
  // Behind the last one is a position too, and what an absent one means.
  size_t at = tensors.size();
  if (node.has_input(2)) {
    const TensorPtr position = node.Constant(2);
    const bool behind = position && position->count() == 1 &&
                        position->ToInt64()[0] == static_cast<int64_t>(tensors.size());
    if (!behind) {
      ASSIGN_OR_RETURN(at, ReadPosition(node, 2, tensors.size(), 0));
    }
  }
  tensors.insert(tensors.begin() + static_cast<std::ptrdiff_t>(at), node.input(1));
  return node.SetSequence(std::move(tensors));
}

absl::Status BuildSequenceErase(NodeBuilder& node) {
  ASSIGN_OR_RETURN(Tensors tensors, node.Sequence(0));
  ASSIGN_OR_RETURN(const size_t at, ReadPosition(node, 1, tensors.size(), tensors.size() - 1));
  tensors.erase(tensors.begin() + static_cast<std::ptrdiff_t>(at));
  return node.SetSequence(std::move(tensors));
}

absl::Status BuildSequenceAt(NodeBuilder& node) {
  ASSIGN_OR_RETURN(const Tensors tensors, node.Sequence(0));
  ASSIGN_OR_RETURN(const size_t at, ReadPosition(node, 1, tensors.size(), 0));
  node.Emit(graph::Identity{}, {tensors[at]});
  return absl::OkStatus();
}

absl::Status BuildSequenceLength(NodeBuilder& node) {
  ASSIGN_OR_RETURN(const Tensors tensors, node.Sequence(0));
  node.SetConstantOutput(
      0, graph::Tensor::Of(DataType::kInt64, {},
                           std::vector<int64_t>{static_cast<int64_t>(tensors.size())}));
  return absl::OkStatus();
}

absl::Status BuildSplitToSequence(NodeBuilder& node) {
  const int64_t axis = node.attributes().Int("axis", 0);
  const bool keeps = node.attributes().Int("keepdims", 1) != 0 || node.has_input(1);
  ASSIGN_OR_RETURN(const std::vector<int64_t> sizes, ReadSizes(node, axis));
  Tensors tensors;
  int64_t start = 0;
  for (int64_t size : sizes) {
    if (size < 0 || size > std::numeric_limits<int64_t>::max() - start) {
      return absl::InvalidArgumentError(absl::StrCat("has a part of the size ", size));
    }
    ValueId part = Part(node, start, start + size, axis);
    if (!keeps) {
      const ValueId slice = node.NewValue("slice");
      node.Emit(graph::Squeeze{}, {part, node.NewInt64s("axis", {axis})}, {slice});
      part = slice;
    }
    tensors.push_back(part);
    start += size;
  }
  return node.SetSequence(std::move(tensors));
}

absl::Status BuildConcatFromSequence(NodeBuilder& node) {
  node.attributes().Require("axis");
  const int64_t axis = node.attributes().Int("axis", 0);
  const bool stacks = node.attributes().Int("new_axis", 0) != 0;
  ASSIGN_OR_RETURN(Tensors tensors, node.Sequence(0));
  if (tensors.empty()) return absl::InvalidArgumentError("the sequence is empty");
  for (ValueId& tensor : tensors) {
    if (!stacks) break;
    const ValueId slice = node.NewValue("slice");
    node.Emit(graph::Unsqueeze{}, {tensor, node.NewInt64s("axis", {axis})}, {slice});
    tensor = slice;
  }
  node.Emit(graph::Concat{.axis = axis}, std::move(tensors));
  return absl::OkStatus();
}

}  // namespace fourfold::onnx
