#include "server/graph/evaluate_numbers.h"

#include <cstring>

#include "kernels/convert.h"
#include "server/graph/shapes.h"

namespace fourfold::graph {

namespace {

// Offset of each index of `shape` under `strides`, in row-major order.
template <typename Visit>
void ForEachOffset(const Shape& shape, const std::vector<int64_t>& strides, int64_t offset,
                   const Visit& visit) {
  if (KnownCount(shape) == 0) return;
  std::vector<int64_t> index(shape.size(), 0);
  while (true) {
    visit(offset);
    size_t d = shape.size();
    while (d > 0) {
      --d;
      offset += strides[d];
      if (++index[d] < shape[d]) break;
      offset -= strides[d] * shape[d];
      index[d] = 0;
      if (d == 0) return;
    }
    if (shape.empty()) return;
  }
}

}  // namespace

std::span<const std::byte> BytesOf(const Tensor& tensor) {
  return {static_cast<const std::byte*>(tensor.data()), tensor.bytes()};
}

void ForEachIndex(const Shape& shape,
                  const std::function<void(const std::vector<int64_t>&)>& visit) {
  if (KnownCount(shape) == 0) return;
  std::vector<int64_t> index(shape.size(), 0);
  while (true) {
    visit(index);
    size_t d = shape.size();
    while (d > 0 && ++index[d - 1] == shape[d - 1]) index[--d] = 0;
    if (d == 0) return;
  }
}

TensorPtr GatherStrided(const Tensor& tensor, const Shape& shape,
                        const std::vector<int64_t>& strides, int64_t offset) {
  const size_t element = ElementSize(tensor.type());
  std::vector<std::byte> bytes(static_cast<size_t>(ElementCount(shape)) * element);
  const std::byte* source = static_cast<const std::byte*>(tensor.data());
  std::byte* target = bytes.data();
  ForEachOffset(shape, strides, offset, [&](int64_t at) {
    std::memcpy(target, source + at * static_cast<int64_t>(element), element);
    target += element;
  });
  return Tensor::Copy(tensor.type(), shape, bytes);
}

std::vector<int64_t> BroadcastStrides(const Shape& from, const Shape& to) {
  const std::vector<int64_t> strides = kernels::Strides(from, kernels::Layout::kRowMajor);
  std::vector<int64_t> result(to.size(), 0);
  for (size_t i = 0; i < from.size(); ++i) {
    if (from[i] != 1) result[to.size() - from.size() + i] = strides[i];
  }
  return result;
}

TensorPtr CastNumbers(const Tensor& x, DataType to) {
  const kernels::ConvertSpec spec{x.type(), to, x.count()};
  const kernels::PreparedPtr kernel =
      kernels::PrepareFirst(kernels::ConvertKernels(), spec, kernels::PrepareContext{});
  std::vector<std::byte> bytes(static_cast<size_t>(x.count()) * ElementSize(to));
  const void* const inputs[] = {x.data()};
  void* const outputs[] = {bytes.data()};
  kernels::Sequential sequential;
  kernel->Run({.inputs = inputs, .outputs = outputs, .parallel = &sequential});
  return Tensor::Copy(to, x.shape(), bytes);
}

namespace {

// The slice that each element belongs to, in row-major order.
class SliceOf {
 public:
  SliceOf(const Shape& shape, const Quantization& how) {
    if (how.per_tensor()) return;
    count_ = static_cast<size_t>(shape[static_cast<size_t>(how.axis)]);
    for (size_t d = static_cast<size_t>(how.axis) + 1; d < shape.size(); ++d)
      inner_ *= static_cast<size_t>(shape[d]);
  }
  size_t operator()(size_t element) const { return element / inner_ % count_; }

 private:
  size_t inner_ = 1;
  size_t count_ = 1;
};

template <typename T>
TensorPtr QuantizedAs(const Tensor& x, DataType type, const Quantization& how) {
  const SliceOf slice(x.shape(), how);
  const std::vector<float> elements = x.ToFloat();
  std::vector<T> result(elements.size());
  for (size_t i = 0; i < elements.size(); ++i) {
    const size_t s = slice(i);
    result[i] = kernels::RoundAndSaturate<T>(elements[i] / how.scale[s], how.zero_point[s]);
  }
  return Tensor::Of<T>(type, x.shape(), result);
}

}  // namespace

TensorPtr QuantizeTensor(const Tensor& x, DataType to, const Quantization& how) {
  if (!IsFloatingPoint(x.type())) return nullptr;
  if (to == DataType::kInt8) return QuantizedAs<int8_t>(x, to, how);
  if (to == DataType::kUint8) return QuantizedAs<uint8_t>(x, to, how);
  return nullptr;
}

TensorPtr DequantizeTensor(const Tensor& x, const Quantization& how) {
  if (x.type() != DataType::kInt8 && x.type() != DataType::kUint8 && x.type() != DataType::kInt32)
    return nullptr;
  const SliceOf slice(x.shape(), how);
  const std::vector<int64_t> elements = x.ToInt64();
  std::vector<float> result(elements.size());
  for (size_t i = 0; i < elements.size(); ++i) {
    const size_t s = slice(i);
    result[i] = static_cast<float>(elements[i] - how.zero_point[s]) * how.scale[s];
  }
  return Tensor::Of<float>(DataType::kFloat32, x.shape(), result);
}

TensorPtr ClipIntegers(const Tensor& x, float low, float high) {
  if (x.type() != DataType::kInt8 && x.type() != DataType::kUint8) return nullptr;
  const auto clip = [&](auto element) {
    const float clipped = std::min(std::max(static_cast<float>(element), low), high);
    return static_cast<decltype(element)>(clipped);
  };
  if (x.type() == DataType::kInt8) {
    std::vector<int8_t> elements(x.as<int8_t>().begin(), x.as<int8_t>().end());
    for (int8_t& element : elements) element = clip(element);
    return Tensor::Of(x.type(), x.shape(), elements);
  }
  std::vector<uint8_t> elements(x.as<uint8_t>().begin(), x.as<uint8_t>().end());
  for (uint8_t& element : elements) element = clip(element);
  return Tensor::Of(x.type(), x.shape(), elements);
}

}  // namespace fourfold::graph
