#include <algorithm>
#include <array>
#include <cstring>
#include <numeric>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "kernels/arithmetic.h"
#include "server/base/status_macros.h"
#include "server/graph/dynamic_operation.h"
#include "server/graph/evaluate_numbers.h"
#include "server/graph/shapes.h"

namespace fourfold::graph {

namespace {

using Tensors = absl::StatusOr<std::vector<TensorPtr>>;

absl::Status RequireInputs(std::span<const Tensor* const> inputs, size_t count) {
  for (size_t i = 0; i < count; ++i) {
    if (i < inputs.size() && inputs[i] != nullptr) continue;
    return absl::InvalidArgumentError(absl::StrCat("input ", i, " is missing, wanted ", count));
  }
  return absl::OkStatus();
}

// x as [outer, length, inner], the slices along `length` being what is selected.
struct Slices {
  int64_t outer = 1, length = 1, inner = 1;
  Shape shape;  // of a result
  size_t axis = 0;
};

absl::StatusOr<Slices> SlicesOf(const Tensor& x, std::optional<int64_t> axis) {
  Slices slices;
  if (!axis) {
    slices.length = x.count();
    slices.shape = {x.count()};
    return slices;
  }
  const std::optional<size_t> dim = NormalizeAxis(*axis, x.shape().size());
  if (!dim) {
    return absl::InvalidArgumentError(absl::StrCat("got axis ", *axis, " of ", ShapeText(x.shape()),
                                                   ", wanted one of its dimensions"));
  }
  slices.axis = *dim;
  slices.shape = x.shape();
  slices.length = x.shape()[*dim];
  for (size_t i = 0; i < x.shape().size(); ++i) {
    if (i < *dim) slices.outer *= x.shape()[i];
    if (i > *dim) slices.inner *= x.shape()[i];
  }
  return slices;
}

TensorPtr Select(const Tensor& x, const Slices& slices, const std::vector<int64_t>& picked) {
  Shape shape = slices.shape;
  shape[slices.axis] = static_cast<int64_t>(picked.size());
  const size_t run = static_cast<size_t>(slices.inner) * ElementSize(x.type());
  const std::span<const std::byte> source = BytesOf(x);
  std::vector<std::byte> bytes;
  bytes.reserve(picked.size() * static_cast<size_t>(slices.outer) * run);
  for (int64_t o = 0; o < slices.outer; ++o) {
    for (int64_t index : picked) {
      const auto slice = source.subspan(static_cast<size_t>(o * slices.length + index) * run, run);
      bytes.insert(bytes.end(), slice.begin(), slice.end());
    }
  }
  return Tensor::Copy(x.type(), std::move(shape), bytes);
}

TensorPtr Int64s(const std::vector<int64_t>& numbers) {
  return Tensor::Of(DataType::kInt64, {static_cast<int64_t>(numbers.size())}, numbers);
}

bool IsZero(DataType type, const std::byte* element) {
  // -0 is 0; every other type has one zero, all of whose bits are 0.
  std::array<std::byte, 8> bytes{};
  const size_t size = ElementSize(type);
  std::memcpy(bytes.data(), element, size);
  if (IsFloatingPoint(type)) bytes[size - 1] &= std::byte{0x7F};
  return std::all_of(bytes.begin(), bytes.end(), [](std::byte b) { return b == std::byte{0}; });
}

// -1, 0 or 1; a total order, NaN last.
template <typename Number>
int Order(Number a, Number b) {
  if (a != a || b != b) return static_cast<int>(a != a) - static_cast<int>(b != b);
  return static_cast<int>(b < a) - static_cast<int>(a < b);
}

template <typename T>
int OrderAt(const std::byte* a, const std::byte* b) {
  T x, y;
  std::memcpy(&x, a, sizeof(T));
  std::memcpy(&y, b, sizeof(T));
  return Order(x, y);
}

template <float (*widen)(uint16_t)>
int OrderOfHalves(const std::byte* a, const std::byte* b) {
  uint16_t x, y;
  std::memcpy(&x, a, sizeof(x));
  std::memcpy(&y, b, sizeof(y));
  return Order(widen(x), widen(y));
}

using Compare = int (*)(const std::byte*, const std::byte*);

Compare CompareOf(DataType type) {
  switch (type) {
    case DataType::kFloat32: return OrderAt<float>;
    case DataType::kFloat16: return OrderOfHalves<kernels::HalfToFloat>;
    case DataType::kBFloat16: return OrderOfHalves<kernels::BFloat16ToFloat>;
    case DataType::kFloat64: return OrderAt<double>;
    case DataType::kInt8: return OrderAt<int8_t>;
    case DataType::kUint8:
    case DataType::kBool: return OrderAt<uint8_t>;
    case DataType::kInt16: return OrderAt<int16_t>;
    case DataType::kUint16: return OrderAt<uint16_t>;
    case DataType::kInt32: return OrderAt<int32_t>;
    case DataType::kUint32: return OrderAt<uint32_t>;
    case DataType::kInt64: return OrderAt<int64_t>;
    case DataType::kUint64: return OrderAt<uint64_t>;
  }
  return OrderAt<uint8_t>;
}

// Compares whole slices, the first different element deciding.
class SliceOrder {
 public:
  SliceOrder(const Tensor& x, const Slices& slices)
      : slices_(slices),
        source_(BytesOf(x).data()),
        element_(static_cast<int64_t>(ElementSize(x.type()))),
        compare_(CompareOf(x.type())) {}

  int operator()(int64_t a, int64_t b) const {
    for (int64_t o = 0; o < slices_.outer; ++o) {
      for (int64_t i = 0; i < slices_.inner; ++i) {
        const int order = compare_(At(o, a, i), At(o, b, i));
        if (order != 0) return order;
      }
    }
    return 0;
  }

 private:
  const std::byte* At(int64_t o, int64_t slice, int64_t i) const {
    return source_ + ((o * slices_.length + slice) * slices_.inner + i) * element_;
  }

  const Slices& slices_;
  const std::byte* source_;
  int64_t element_;
  Compare compare_;
};

}  // namespace

Tensors RunDynamic(const NonZero&, std::span<const Tensor* const> inputs) {
  RETURN_IF_ERROR(RequireInputs(inputs, 1));
  const Tensor& x = *inputs[0];
  const size_t element = ElementSize(x.type());
  const std::span<const std::byte> source = BytesOf(x);
  std::vector<int64_t> found;  // numbers of elements
  for (int64_t i = 0; i < x.count(); ++i) {
    if (!IsZero(x.type(), source.data() + static_cast<size_t>(i) * element)) found.push_back(i);
  }
  const auto rank = static_cast<int64_t>(x.shape().size());
  const auto count = static_cast<int64_t>(found.size());
  const std::vector<int64_t> strides = kernels::Strides(x.shape(), kernels::Layout::kRowMajor);
  std::vector<int64_t> indices;
  indices.reserve(static_cast<size_t>(rank * count));
  for (size_t d = 0; d < strides.size(); ++d) {
    for (int64_t i : found) indices.push_back(i / strides[d] % x.shape()[d]);
  }
  return std::vector<TensorPtr>{Tensor::Of(DataType::kInt64, {rank, count}, indices)};
}

Tensors RunDynamic(const Compress& compress, std::span<const Tensor* const> inputs) {
  RETURN_IF_ERROR(RequireInputs(inputs, 2));
  const Tensor &x = *inputs[0], &condition = *inputs[1];
  ASSIGN_OR_RETURN(const Slices slices, SlicesOf(x, compress.axis));
  if (condition.type() != DataType::kBool || condition.shape().size() != 1 ||
      condition.count() > slices.length) {
    return absl::InvalidArgumentError(
        absl::StrCat("got a condition of ", TypeText(condition.type()), " ",
                     ShapeText(condition.shape()), ", wanted at most ", slices.length, " bool"));
  }
  std::vector<int64_t> picked;
  const std::span<const uint8_t> flags = condition.as<uint8_t>();
  for (size_t i = 0; i < flags.size(); ++i) {
    if (flags[i] != 0) picked.push_back(static_cast<int64_t>(i));
  }
  return std::vector<TensorPtr>{Select(x, slices, picked)};
}

Tensors RunDynamic(const Unique& unique, std::span<const Tensor* const> inputs) {
  RETURN_IF_ERROR(RequireInputs(inputs, 1));
  const Tensor& x = *inputs[0];
  ASSIGN_OR_RETURN(const Slices slices, SlicesOf(x, unique.axis));
  const SliceOrder order(x, slices);
  std::vector<int64_t> sorted(static_cast<size_t>(slices.length));
  std::iota(sorted.begin(), sorted.end(), 0);
  std::stable_sort(sorted.begin(), sorted.end(),
                   [&](int64_t a, int64_t b) { return order(a, b) < 0; });

  std::vector<int64_t> first;                 // of each group of equal slices
  std::vector<int64_t> counts;                // of the group
  std::vector<int64_t> group(sorted.size());  // of each slice
  for (size_t i = 0; i < sorted.size(); ++i) {
    if (i == 0 || order(sorted[i - 1], sorted[i]) != 0) {
      first.push_back(sorted[i]);
      counts.push_back(0);
    }
    ++counts.back();
    group[static_cast<size_t>(sorted[i])] = static_cast<int64_t>(first.size()) - 1;
  }
  std::vector<size_t> ranks(first.size());  // groups in the order of the result
  std::iota(ranks.begin(), ranks.end(), 0);
  if (!unique.sorted) {
    std::sort(ranks.begin(), ranks.end(), [&](size_t a, size_t b) { return first[a] < first[b]; });
  }
  std::vector<int64_t> firsts, ordered_counts, place(first.size()), inverse;
  for (size_t i = 0; i < ranks.size(); ++i) {
    firsts.push_back(first[ranks[i]]);
    ordered_counts.push_back(counts[ranks[i]]);
    place[ranks[i]] = static_cast<int64_t>(i);
  }
  for (int64_t g : group) inverse.push_back(place[static_cast<size_t>(g)]);
  return std::vector<TensorPtr>{Select(x, slices, firsts), Int64s(firsts), Int64s(inverse),
                                Int64s(ordered_counts)};
}

}  // namespace fourfold::graph
