#include "server/graph/evaluate_numbers.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "kernels/eltwise.h"
#include "server/graph/infer_node.h"
#include "server/graph/real_function.h"
#include "server/graph/shapes.h"

namespace fourfold::graph {

namespace {

bool IsInteger(DataType type) { return !IsFloatingPoint(type) && type != DataType::kBool; }

// A tensor of an integer type from int64 elements, in two's complement.
template <typename T>
TensorPtr Narrowed(DataType type, const Shape& shape, const std::vector<int64_t>& elements) {
  std::vector<T> narrow(elements.size());
  std::transform(elements.begin(), elements.end(), narrow.begin(),
                 [](int64_t e) { return static_cast<T>(e); });
  return Tensor::Of<T>(type, shape, narrow);
}

TensorPtr FromIntegers(DataType type, const Shape& shape, const std::vector<int64_t>& elements) {
  switch (type) {
    case DataType::kInt8: return Narrowed<int8_t>(type, shape, elements);
    case DataType::kUint8: return Narrowed<uint8_t>(type, shape, elements);
    case DataType::kInt16: return Narrowed<int16_t>(type, shape, elements);
    case DataType::kUint16: return Narrowed<uint16_t>(type, shape, elements);
    case DataType::kInt32: return Narrowed<int32_t>(type, shape, elements);
    case DataType::kUint32: return Narrowed<uint32_t>(type, shape, elements);
    case DataType::kInt64: return Narrowed<int64_t>(type, shape, elements);
    case DataType::kUint64: return Narrowed<uint64_t>(type, shape, elements);
    default: return nullptr;
  }
}

TensorPtr FromFloats(const Shape& shape, const std::vector<float>& elements) {
  return Tensor::Of<float>(DataType::kFloat32, shape, elements);
}

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

TensorPtr EltwiseNumbers(const Eltwise& eltwise, const Tensor& x) {
  if (IsInteger(x.type())) {
    std::vector<int64_t> elements = x.ToInt64();
    for (int64_t& e : elements) {
      const int64_t negated = *IntegerArithmetic(Binary::Operation::kSub, 0, e);
      switch (eltwise.function) {
        case Eltwise::Function::kAbs: e = e < 0 ? negated : e; break;
        case Eltwise::Function::kNeg: e = negated; break;
        case Eltwise::Function::kSign: e = (e > 0) - (e < 0); break;
        default: return nullptr;
      }
    }
    return FromIntegers(x.type(), x.shape(), elements);
  }
  const std::optional<kernels::EltwiseSpec> spec = RealFunction(eltwise);
  if (x.type() != DataType::kFloat32 || !spec) return nullptr;
  std::vector<float> elements = x.ToFloat();
  for (float& e : elements) e = kernels::Evaluate(*spec, e);
  return FromFloats(x.shape(), elements);
}

namespace {

float FloatArithmetic(Binary::Operation operation, float a, float b) {
  switch (operation) {
    case Binary::Operation::kAdd: return a + b;
    case Binary::Operation::kSub: return a - b;
    case Binary::Operation::kMul: return a * b;
    case Binary::Operation::kDiv: return a / b;
    case Binary::Operation::kMax: return std::max(a, b);
    case Binary::Operation::kMin: return std::min(a, b);
    case Binary::Operation::kPow: return std::pow(a, b);
    case Binary::Operation::kRemainder: return std::fmod(a, b);
    default: return std::numeric_limits<float>::quiet_NaN();  // of integers
  }
}

}  // namespace

TensorPtr BinaryNumbers(const Binary& binary, const Tensor& a, const Tensor& b,
                        const Shape& shape) {
  const TensorPtr lhs = GatherStrided(a, shape, BroadcastStrides(a.shape(), shape), 0);
  const TensorPtr rhs = GatherStrided(b, shape, BroadcastStrides(b.shape(), shape), 0);
  if (a.type() == DataType::kFloat32) {
    std::vector<float> x = lhs->ToFloat();
    const std::vector<float> y = rhs->ToFloat();
    for (size_t i = 0; i < x.size(); ++i) {
      x[i] = kernels::Activate(binary.activation, FloatArithmetic(binary.operation, x[i], y[i]));
    }
    return FromFloats(shape, x);
  }
  if (!IsInteger(a.type()) || binary.activation != kernels::Activation()) return nullptr;
  // Beyond int64 the order and the quotient would need unsigned arithmetic.
  if (a.type() == DataType::kUint64) return nullptr;
  std::vector<int64_t> x = lhs->ToInt64();
  const std::vector<int64_t> y = rhs->ToInt64();
  for (size_t i = 0; i < x.size(); ++i) {
    const std::optional<int64_t> result = IntegerArithmetic(binary.operation, x[i], y[i]);
    if (!result) return nullptr;
    x[i] = *result;
  }
  return FromIntegers(a.type(), shape, x);
}

namespace {

// Folds elements that fall into the same output; `finish` gets the sum and how many there were.
template <typename T, typename Element, typename Step>
std::vector<T> Fold(const std::vector<Element>& elements, const Shape& x,
                    const std::vector<bool>& reduced, size_t count, T start, const Step& step) {
  std::vector<int64_t> strides(x.size(), 0);
  int64_t stride = 1;
  for (size_t d = x.size(); d-- > 0;) {
    if (reduced[d]) continue;
    strides[d] = stride;
    stride *= x[d];
  }
  std::vector<T> result(count, start);
  size_t i = 0;
  ForEachOffset(x, strides, 0, [&](int64_t at) {
    T& sum = result[static_cast<size_t>(at)];
    sum = step(sum, static_cast<T>(elements[i++]));
  });
  return result;
}

}  // namespace

TensorPtr ReduceNumbers(Reduce::Operation operation, const Tensor& x,
                        const std::vector<bool>& reduced, const Shape& shape) {
  using Operation = Reduce::Operation;
  const size_t count = static_cast<size_t>(ElementCount(shape));
  const bool integer = x.type() == DataType::kInt64 || x.type() == DataType::kInt32;
  if (integer) {
    Binary::Operation step;
    int64_t start;
    switch (operation) {
      case Operation::kSum: step = Binary::Operation::kAdd, start = 0; break;
      case Operation::kProd: step = Binary::Operation::kMul, start = 1; break;
      case Operation::kMax:
        step = Binary::Operation::kMax, start = std::numeric_limits<int64_t>::min();
        break;
      case Operation::kMin:
        step = Binary::Operation::kMin, start = std::numeric_limits<int64_t>::max();
        break;
      default: return nullptr;
    }
    return FromIntegers(
        x.type(), shape,
        Fold<int64_t>(x.ToInt64(), x.shape(), reduced, count, start,
                      [&](int64_t a, int64_t b) { return *IntegerArithmetic(step, a, b); }));
  }
  if (x.type() != DataType::kFloat32) return nullptr;
  const std::vector<float> elements = x.ToFloat();
  const auto fold = [&](double start, auto step) {
    return Fold<double>(elements, x.shape(), reduced, count, start, step);
  };
  const double infinity = std::numeric_limits<double>::infinity();
  std::vector<double> result;
  switch (operation) {
    case Operation::kMean:
    case Operation::kSum:
    case Operation::kLogSum: result = fold(0.0, [](double a, double b) { return a + b; }); break;
    case Operation::kProd: result = fold(1.0, [](double a, double b) { return a * b; }); break;
    case Operation::kMax:
      result = fold(-infinity, [](double a, double b) { return std::max(a, b); });
      break;
    case Operation::kMin:
      result = fold(infinity, [](double a, double b) { return std::min(a, b); });
      break;
    case Operation::kSumSquare:
    case Operation::kL2: result = fold(0.0, [](double a, double b) { return a + b * b; }); break;
    case Operation::kL1:
      result = fold(0.0, [](double a, double b) { return a + std::abs(b); });
      break;
    case Operation::kLogSumExp:
      result = fold(0.0, [](double a, double b) { return a + std::exp(b); });
      break;
  }
  const double summands =
      count == 0 ? 1.0 : static_cast<double>(elements.size()) / static_cast<double>(count);
  std::vector<float> narrow;
  for (double value : result) {
    if (operation == Operation::kMean) value /= summands;
    if (operation == Operation::kL2) value = std::sqrt(value);
    if (operation == Operation::kLogSum || operation == Operation::kLogSumExp)
      value = std::log(value);
    narrow.push_back(static_cast<float>(value));
  }
  return FromFloats(shape, narrow);
}

namespace {

std::vector<double> ToDoubles(const Tensor& x) {
  if (x.type() == DataType::kFloat64) {
    const std::span<const double> elements = x.as<double>();
    return {elements.begin(), elements.end()};
  }
  const std::vector<float> elements = x.ToFloat();
  return {elements.begin(), elements.end()};
}

template <typename T>
int64_t Truncated(double value) {
  if (std::isnan(value)) return 0;
  if (value <= static_cast<double>(std::numeric_limits<T>::min())) {
    return static_cast<int64_t>(std::numeric_limits<T>::min());
  }
  if (value >= static_cast<double>(std::numeric_limits<T>::max())) {
    return static_cast<int64_t>(std::numeric_limits<T>::max());
  }
  return static_cast<int64_t>(static_cast<T>(value));
}

int64_t TruncatedTo(DataType type, double value) {
  switch (type) {
    case DataType::kInt8: return Truncated<int8_t>(value);
    case DataType::kUint8: return Truncated<uint8_t>(value);
    case DataType::kInt16: return Truncated<int16_t>(value);
    case DataType::kUint16: return Truncated<uint16_t>(value);
    case DataType::kInt32: return Truncated<int32_t>(value);
    case DataType::kUint32: return Truncated<uint32_t>(value);
    case DataType::kUint64: return Truncated<uint64_t>(value);
    default: return Truncated<int64_t>(value);
  }
}

TensorPtr CastToFloatingPoint(const Tensor& x, DataType to) {
  if (to == DataType::kFloat32) return FromFloats(x.shape(), x.ToFloat());
  if (to == DataType::kFloat64) {
    if (IsFloatingPoint(x.type())) return Tensor::Of<double>(to, x.shape(), ToDoubles(x));
    const std::vector<int64_t> elements = x.ToInt64();
    return Tensor::Of<double>(to, x.shape(), std::vector<double>(elements.begin(), elements.end()));
  }
  std::vector<uint16_t> bits;
  for (float value : x.ToFloat()) {
    bits.push_back(to == DataType::kFloat16 ? kernels::FloatToHalf(value)
                                            : kernels::FloatToBFloat16(value));
  }
  return Tensor::Of<uint16_t>(to, x.shape(), bits);
}

}  // namespace

TensorPtr CastNumbers(const Tensor& x, DataType to) {
  if (to == x.type()) return Tensor::Copy(to, x.shape(), BytesOf(x));
  if (IsFloatingPoint(to)) return CastToFloatingPoint(x, to);
  const bool from_float = IsFloatingPoint(x.type());
  if (to == DataType::kBool) {
    std::vector<uint8_t> bits;
    if (from_float) {
      for (double value : ToDoubles(x)) bits.push_back(value != 0.0);
    } else {
      for (int64_t value : x.ToInt64()) bits.push_back(value != 0);
    }
    return Tensor::Of<uint8_t>(to, x.shape(), bits);
  }
  if (!from_float) return FromIntegers(to, x.shape(), x.ToInt64());
  std::vector<int64_t> elements;
  for (double value : ToDoubles(x)) elements.push_back(TruncatedTo(to, value));
  return FromIntegers(to, x.shape(), elements);
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
  return FromFloats(x.shape(), result);
}

TensorPtr ClipIntegers(const Tensor& x, float low, float high) {
  if (x.type() != DataType::kInt8 && x.type() != DataType::kUint8) return nullptr;
  std::vector<int64_t> elements = x.ToInt64();
  for (int64_t& element : elements) {
    element = static_cast<int64_t>(std::min(std::max(static_cast<float>(element), low), high));
  }
  return FromIntegers(x.type(), x.shape(), elements);
}

}  // namespace fourfold::graph
