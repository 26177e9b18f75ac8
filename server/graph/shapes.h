#pragma once

#include <optional>

#include "absl/status/status.h"
#include "server/graph/tensor.h"

namespace fourfold::graph {

// Arithmetic on shapes that come from files: nothing here overflows.

// No tensor has more bytes than this, so that offsets and products of a few of them fit 64 bits.
inline constexpr int64_t kMaxTensorBytes = int64_t{1} << 46;
inline constexpr size_t kMaxRank = 32;

// Nothing where the product leaves int64.
std::optional<int64_t> CheckedMultiply(int64_t a, int64_t b);

// The number of elements; nothing where a dimension is unknown or negative, or the product
// overflows.
std::optional<int64_t> KnownCount(const Shape& shape);

// INVALID_ARGUMENT unless every dimension is unknown or at least 0, the rank is at most kMaxRank,
// and the known dimensions describe at most kMaxTensorBytes.
absl::Status CheckShape(const Shape& shape, DataType type);

// Numpy's broadcast of both: an unknown dimension against 1 or unknown stays unknown, against n > 1
// it has to be n (or 1). Nothing where they do not fit.
std::optional<Shape> Broadcast(const Shape& a, const Shape& b);

// Whether two dimensions (shapes) can be the same at run time.
bool Compatible(int64_t a, int64_t b);
bool Compatible(const Shape& a, const Shape& b);

// `axis` counted from the front; nothing outside [-rank, rank).
std::optional<size_t> NormalizeAxis(int64_t axis, size_t rank);

// Whether elements are real numbers by themselves.
bool IsFloatingPoint(DataType type);

// A slice along one dimension, after ONNX's clamping: count elements from start on, step apart.
struct SliceRange {
  int64_t start = 0;
  int64_t step = 1;
  int64_t count = 0;
};

// Requires step != 0 and dim >= 0.
SliceRange ResolveSlice(int64_t start, int64_t end, int64_t step, int64_t dim);

}  // namespace fourfold::graph
