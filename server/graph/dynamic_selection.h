#pragma once

#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "server/graph/operations.h"

namespace fourfold::graph {

// Operations whose results are as long as the data say, on whole tensors. Inputs are those of the
// operation by position, of types and shapes that shape inference has accepted; INVALID_ARGUMENT
// where they are not. Outputs are in order, all of them. Thread-safe.

// The indices of the elements that are not 0, column by column in row-major order.
absl::StatusOr<std::vector<TensorPtr>> RunNonZero(std::span<const Tensor* const> inputs);

// The slices along the axis (the elements of the flattened x) for which the condition is true. A
// condition may be shorter than the axis; where it ends it is false.
absl::StatusOr<std::vector<TensorPtr>> RunCompress(const Compress& compress,
                                                   std::span<const Tensor* const> inputs);

// The different slices along the axis (elements of the flattened x), ascending or in the order of
// their first occurrence; the index of that; which of them each slice of x is; how often each is
// there. Slices are compared element by element; NaN is above all numbers and equal to itself.
absl::StatusOr<std::vector<TensorPtr>> RunUnique(const Unique& unique,
                                                 std::span<const Tensor* const> inputs);

}  // namespace fourfold::graph
