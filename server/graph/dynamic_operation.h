#pragma once

#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "server/graph/graph.h"

namespace fourfold::graph {

// Operations whose outputs' shapes are known only when they have run: one overload each, on whole
// tensors. Inputs by position, null where absent; outputs as many as the operation has.
// INVALID_ARGUMENT for inputs that do not fit; the caller says which node.
template <typename Op>
absl::StatusOr<std::vector<TensorPtr>> RunDynamic(const Op& op, std::span<const Tensor* const>) {
  return absl::UnimplementedError(absl::StrCat(OperationName(op), " whose shapes depend on data"));
}

// dynamic_selection.cc

// The indices of the elements that are not 0, column by column in row-major order.
absl::StatusOr<std::vector<TensorPtr>> RunDynamic(const NonZero& op,
                                                  std::span<const Tensor* const> inputs);
// The slices along the axis (the elements of the flattened x) for which the condition is true. A
// condition may be shorter than the axis; where it ends it is false.
absl::StatusOr<std::vector<TensorPtr>> RunDynamic(const Compress& op,
                                                  std::span<const Tensor* const> inputs);
// The different slices along the axis (elements of the flattened x), ascending or in the order of
// their first occurrence; the index of that; which of them each slice of x is; how often each is
// there. Slices are compared element by element; NaN is above all numbers and equal to itself.
absl::StatusOr<std::vector<TensorPtr>> RunDynamic(const Unique& op,
                                                  std::span<const Tensor* const> inputs);

// dynamic_non_max_suppression.cc

// [selected], int64 [K, 3] of batch, class and box, in the order of batches, then classes, then
// falling scores (of equal ones the smaller index first). A box is dropped if its overlap with a
// selected one exceeds the threshold.
absl::StatusOr<std::vector<TensorPtr>> RunDynamic(const NonMaxSuppression& select,
                                                  std::span<const Tensor* const> inputs);

}  // namespace fourfold::graph
