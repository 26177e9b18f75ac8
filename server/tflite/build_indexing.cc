#include <limits>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/base/status_macros.h"
#include "server/tflite/builders.h"

namespace fourfold::tflite {
namespace {

using graph::DataType;
using graph::ValueId;

constexpr int64_t kLast = std::numeric_limits<int64_t>::max();
constexpr int64_t kFirst = std::numeric_limits<int64_t>::min();

ValueId EmitSlice(OperatorBuilder& op, ValueId x, int64_t axis, int64_t start, int64_t end,
                  const std::string& suffix = "") {
  return op.Emit(
      graph::Slice{},
      {x, op.NewInt64s("start", {start}), op.NewInt64s("end", {end}), op.NewInt64s("axis", {axis})},
      suffix);
}

// Consecutive parts of input `i` along the axis, one per output.
absl::Status ReturnParts(OperatorBuilder& op, int i, int64_t axis,
                         const std::vector<int64_t>& sizes) {
  if (sizes.size() != static_cast<size_t>(op.output_count())) {
    return absl::InvalidArgumentError(
        absl::StrCat("has ", sizes.size(), " sizes for ", op.output_count(), " outputs"));
  }
  int64_t start = 0;
  for (int part = 0; part < op.output_count(); ++part) {
    const int64_t size = sizes[static_cast<size_t>(part)];
    if (size < 0 || size > kLast - start) {
      return absl::InvalidArgumentError(absl::StrCat("part ", part, " has the size ", size));
    }
    RETURN_IF_ERROR(op.Return(EmitSlice(op, op.Real(i), axis, start, start + size), part));
    start += size;
  }
  return absl::OkStatus();
}

absl::StatusOr<int64_t> KnownDimension(const OperatorBuilder& op, int i, int64_t axis) {
  const int64_t dim = (*op.input(i).shape)[static_cast<size_t>(axis)];
  if (dim < 0) {
    return absl::UnimplementedError(absl::StrCat("dimension ", axis, " that a call decides"));
  }
  return dim;
}

// What a strided slice does with its input, dimension by dimension.
struct StridedSlice {
  std::vector<int64_t> starts, ends, axes, steps;
  std::vector<int64_t> removed;  // of the input's dimensions
  std::vector<int64_t> added;    // of the result's dimensions
};

bool Has(int mask, size_t bit) { return (static_cast<unsigned>(mask) >> bit & 1u) != 0; }

// Reads the numbers of one entry of begin, end and strides into the slice of dimension `axis`.
absl::Status AddEntry(const schema::StridedSliceOptions& options, size_t entry, int64_t axis,
                      int64_t begin, int64_t end, int64_t step, StridedSlice& slice) {
  if (step == 0) return absl::InvalidArgumentError("has the stride 0");
  if (Has(options.shrink_axis_mask(), entry)) {
    end = begin == -1 ? kLast : begin + 1;
    step = 1;
    slice.removed.push_back(axis);
  } else {
    if (options.offset()) end += begin;
    if (Has(options.begin_mask(), entry)) begin = step > 0 ? 0 : kLast;
    if (Has(options.end_mask(), entry)) end = step > 0 ? kLast : kFirst;
  }
  slice.starts.push_back(begin);
  slice.ends.push_back(end);
  slice.axes.push_back(axis);
  slice.steps.push_back(step);
  return absl::OkStatus();
}

absl::StatusOr<StridedSlice> ReadStridedSlice(const OperatorBuilder& op,
                                              const schema::StridedSliceOptions& options) {
  ASSIGN_OR_RETURN(const size_t rank, op.Rank(0));
  ASSIGN_OR_RETURN(const std::vector<int64_t> begin, op.Ints(1));
  ASSIGN_OR_RETURN(const std::vector<int64_t> end, op.Ints(2));
  ASSIGN_OR_RETURN(const std::vector<int64_t> strides, op.Ints(3));
  constexpr size_t kMaskBits = 31;
  if (begin.size() != end.size() || begin.size() != strides.size() || begin.size() > kMaskBits) {
    return absl::InvalidArgumentError(absl::StrCat("has ", begin.size(), " begins, ", end.size(),
                                                   " ends and ", strides.size(), " strides"));
  }
  size_t sliced = 0;  // dimensions of the input that entries speak of
  for (size_t i = 0; i < begin.size(); ++i) {
    if (!Has(options.new_axis_mask(), i) && !Has(options.ellipsis_mask(), i)) ++sliced;
  }
  if (sliced > rank) {
    return absl::InvalidArgumentError(absl::StrCat("slices ", sliced, " dimensions of ", rank));
  }
  StridedSlice slice;
  int64_t axis = 0, result_axis = 0;
  bool ellipsis = false;
  for (size_t i = 0; i < begin.size(); ++i) {
    if (Has(options.ellipsis_mask(), i)) {
      if (ellipsis) return absl::InvalidArgumentError("has two ellipses");
      ellipsis = true;
      axis += static_cast<int64_t>(rank - sliced);
      result_axis += static_cast<int64_t>(rank - sliced);
    } else if (Has(options.new_axis_mask(), i)) {
      slice.added.push_back(result_axis++);
    } else {
      RETURN_IF_ERROR(AddEntry(options, i, axis, begin[i], end[i], strides[i], slice));
      if (slice.removed.empty() || slice.removed.back() != axis) ++result_axis;
      ++axis;
    }
  }
  return slice;
}

}  // namespace

absl::Status BuildSplit(OperatorBuilder& op) {  // axis, x
  ASSIGN_OR_RETURN(int64_t axis, op.Int(0));
  ASSIGN_OR_RETURN(axis, op.Axis(1, axis));
  ASSIGN_OR_RETURN(const int64_t dim, KnownDimension(op, 1, axis));
  const int64_t parts = op.output_count();
  if (dim % parts != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("splits dimension ", axis, " of ", dim, " into ", parts, " equal parts"));
  }
  return ReturnParts(op, 1, axis, std::vector<int64_t>(static_cast<size_t>(parts), dim / parts));
}

absl::Status BuildSplitV(OperatorBuilder& op) {  // x, sizes, axis
  ASSIGN_OR_RETURN(std::vector<int64_t> sizes, op.Ints(1));
  ASSIGN_OR_RETURN(int64_t axis, op.Int(2));
  ASSIGN_OR_RETURN(axis, op.Axis(0, axis));
  int64_t known = 0;
  int64_t* rest = nullptr;
  for (int64_t& size : sizes) {
    if (size == -1 && rest == nullptr) {
      rest = &size;
    } else {
      known += size;
    }
  }
  if (rest != nullptr) {
    ASSIGN_OR_RETURN(const int64_t dim, KnownDimension(op, 0, axis));
    *rest = dim - known;
  }
  return ReturnParts(op, 0, axis, sizes);
}

absl::Status BuildSlice(OperatorBuilder& op) {  // x, begin, size; size -1: to the end
  ASSIGN_OR_RETURN(const size_t rank, op.Rank(0));
  ASSIGN_OR_RETURN(const std::vector<int64_t> begin, op.Ints(1));
  ASSIGN_OR_RETURN(const std::vector<int64_t> size, op.Ints(2));
  if (begin.size() != rank || size.size() != rank) {
    return absl::InvalidArgumentError(absl::StrCat(
        "has ", begin.size(), " begins and ", size.size(), " sizes for ", rank, " dimensions"));
  }
  std::vector<int64_t> ends(rank);
  for (size_t d = 0; d < rank; ++d) {
    if (begin[d] < 0 || size[d] < -1 || (size[d] > 0 && begin[d] > kLast - size[d])) {
      return absl::InvalidArgumentError(
          absl::StrCat("takes ", size[d], " elements from ", begin[d], " on"));
    }
    ends[d] = size[d] == -1 ? kLast : begin[d] + size[d];
  }
  return op.Return(op.Emit(
      graph::Slice{}, {op.Real(0), op.NewInt64s("starts", begin), op.NewInt64s("ends", ends)}));
}

absl::Status BuildStridedSlice(OperatorBuilder& op) {
  ASSIGN_OR_RETURN(const auto* options, op.OptionsOf<schema::StridedSliceOptions>());
  ASSIGN_OR_RETURN(const StridedSlice slice, ReadStridedSlice(op, *options));
  ValueId x = op.Real(0);
  if (!slice.axes.empty()) {
    x = op.Emit(graph::Slice{},
                {x, op.NewInt64s("starts", slice.starts), op.NewInt64s("ends", slice.ends),
                 op.NewInt64s("axes", slice.axes), op.NewInt64s("steps", slice.steps)});
  }
  const auto reshaped = [&](graph::Operation operation, const std::vector<int64_t>& axes,
                            const std::string& suffix) {
    x = op.values().Requantized(x, op.tensor(0));
    x = op.Emit(std::move(operation), {x, op.NewInt64s(suffix + "_axes", axes)}, suffix);
  };
  if (!slice.removed.empty()) reshaped(graph::Squeeze{}, slice.removed, "squeezed");
  if (!slice.added.empty()) reshaped(graph::Unsqueeze{}, slice.added, "expanded");
  return op.Return(x);
}

absl::Status BuildUnpack(OperatorBuilder& op) {
  ASSIGN_OR_RETURN(const auto* options, op.OptionsOf<schema::UnpackOptions>());
  ASSIGN_OR_RETURN(const int64_t axis, op.Axis(0, options->axis()));
  if (options->num() != op.output_count()) {
    return absl::InvalidArgumentError(
        absl::StrCat("unpacks ", options->num(), " values into ", op.output_count(), " outputs"));
  }
  for (int i = 0; i < op.output_count(); ++i) {
    const ValueId part =
        op.values().Requantized(EmitSlice(op, op.Real(0), axis, i, i + 1, "part"), op.tensor(0));
    RETURN_IF_ERROR(op.Return(op.Emit(graph::Squeeze{}, {part, op.NewInt64s("axes", {axis})}), i));
  }
  return absl::OkStatus();
}

absl::Status BuildGather(OperatorBuilder& op) {
  const auto* options = op.OptionsOrNull<schema::GatherOptions>();
  if (options != nullptr && options->batch_dims() != 0) {
    return absl::UnimplementedError(absl::StrCat("batch_dims ", options->batch_dims()));
  }
  ASSIGN_OR_RETURN(const int64_t axis, op.Axis(0, options == nullptr ? 0 : options->axis()));
  return op.Return(op.Emit(graph::Gather{.axis = axis}, {op.Real(0), op.Real(1)}));
}

absl::Status BuildShape(OperatorBuilder& op) {
  const ValueId dims = op.Emit(graph::ShapeOf{}, {op.Real(0)}, "dims");
  if (op.output(0).type == DataType::kInt64) return op.Return(dims);
  return op.Return(op.Emit(graph::Cast{.to = op.output(0).type}, {dims}));
}

absl::Status BuildFill(OperatorBuilder& op) {  // dims, value
  return op.Return(op.Emit(graph::Expand{}, {op.Real(1), op.Int64(0)}));
}

}  // namespace fourfold::tflite
