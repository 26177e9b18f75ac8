#include "server/graph/shapes.h"

#include <algorithm>
#include <limits>

#include "absl/strings/str_cat.h"

namespace fourfold::graph {

std::optional<int64_t> CheckedMultiply(int64_t a, int64_t b) {
  int64_t product;
  if (__builtin_mul_overflow(a, b, &product)) return std::nullopt;
  return product;
}

std::optional<int64_t> KnownCount(const Shape& shape) {
  int64_t count = 1;
  for (int64_t dim : shape) {
    if (dim < 0) return std::nullopt;
    const std::optional<int64_t> product = CheckedMultiply(count, dim);
    if (!product) return std::nullopt;
    count = *product;
  }
  return count;
}

absl::Status CheckShape(const Shape& shape, DataType type) {
  if (shape.size() > kMaxRank) {
    return absl::InvalidArgumentError(
        absl::StrCat("got ", shape.size(), " dimensions, wanted at most ", kMaxRank));
  }
  int64_t bytes = static_cast<int64_t>(ElementSize(type));
  for (int64_t dim : shape) {
    if (dim < 0 && dim != kUnknownDim) {
      return absl::InvalidArgumentError(
          absl::StrCat("got shape ", ShapeText(shape), ", wanted no negative dimension"));
    }
    // A dimension of 0 counts as 1: the others have to be sane by themselves.
    const std::optional<int64_t> product = CheckedMultiply(bytes, std::max<int64_t>(dim, 1));
    if (!product || *product > kMaxTensorBytes) {
      return absl::InvalidArgumentError(absl::StrCat("got shape ", ShapeText(shape), " of ",
                                                     TypeText(type), ", wanted at most ",
                                                     kMaxTensorBytes, " bytes"));
    }
    bytes = *product;
  }
  return absl::OkStatus();
}

namespace {

std::optional<int64_t> BroadcastDim(int64_t a, int64_t b) {
  if (a == b) return a;
  if (a == 1) return b;
  if (b == 1) return a;
  if (a == kUnknownDim) return b;
  if (b == kUnknownDim) return a;
  return std::nullopt;
}

}  // namespace

std::optional<Shape> Broadcast(const Shape& a, const Shape& b) {
  const size_t rank = std::max(a.size(), b.size());
  Shape result(rank);
  for (size_t i = 0; i < rank; ++i) {  // from the back
    const int64_t dim_a = i < a.size() ? a[a.size() - 1 - i] : 1;
    const int64_t dim_b = i < b.size() ? b[b.size() - 1 - i] : 1;
    const std::optional<int64_t> dim = BroadcastDim(dim_a, dim_b);
    if (!dim) return std::nullopt;
    result[rank - 1 - i] = *dim;
  }
  return result;
}

bool Compatible(int64_t a, int64_t b) { return a == b || a == kUnknownDim || b == kUnknownDim; }

bool Compatible(const Shape& a, const Shape& b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i) {
    if (!Compatible(a[i], b[i])) return false;
  }
  return true;
}

std::optional<size_t> NormalizeAxis(int64_t axis, size_t rank) {
  const int64_t signed_rank = static_cast<int64_t>(rank);
  if (axis < -signed_rank || axis >= signed_rank) return std::nullopt;
  return static_cast<size_t>(axis < 0 ? axis + signed_rank : axis);
}

bool IsFloatingPoint(DataType type) {
  return type == DataType::kFloat32 || type == DataType::kFloat16 || type == DataType::kBFloat16 ||
         type == DataType::kFloat64;
}

SliceRange ResolveSlice(int64_t start, int64_t end, int64_t step, int64_t dim) {
  // A start or end of the lowest int64 plus dim cannot overflow: dim is not negative.
  if (start < 0) start += dim;
  if (end < 0) end += dim;
  SliceRange range;
  range.step = step;
  if (step > 0) {
    range.start = std::clamp<int64_t>(start, 0, dim);
    const int64_t last = std::clamp<int64_t>(end, 0, dim);
    if (last > range.start) range.count = (last - range.start - 1) / step + 1;
  } else {
    range.start = std::clamp<int64_t>(start, 0, std::max<int64_t>(dim - 1, 0));
    const int64_t last = std::clamp<int64_t>(end, -1, dim - 1);
    // The lowest int64 has no negative; a step that long takes one element anyway.
    const int64_t stride =
        step == std::numeric_limits<int64_t>::min() ? std::numeric_limits<int64_t>::max() : -step;
    if (dim > 0 && range.start > last) range.count = (range.start - last - 1) / stride + 1;
  }
  return range;
}

}  // namespace fourfold::graph
