#include "server/graph/tensor.h"

#include <cassert>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "kernels/arithmetic.h"
#include "kernels/kernel.h"

namespace fourfold::graph {

namespace {

template <typename To, typename From>
std::vector<To> Converted(const Tensor& tensor) {
  const std::span<const From> elements = tensor.as<From>();
  std::vector<To> result(elements.size());
  for (size_t i = 0; i < elements.size(); ++i) result[i] = static_cast<To>(elements[i]);
  return result;
}

template <typename To>
std::vector<To> ConvertedIntegers(const Tensor& tensor) {
  switch (tensor.type()) {
    case DataType::kInt8: return Converted<To, int8_t>(tensor);
    case DataType::kUint8:
    case DataType::kBool: return Converted<To, uint8_t>(tensor);
    case DataType::kInt16: return Converted<To, int16_t>(tensor);
    case DataType::kUint16: return Converted<To, uint16_t>(tensor);
    case DataType::kInt32: return Converted<To, int32_t>(tensor);
    case DataType::kUint32: return Converted<To, uint32_t>(tensor);
    case DataType::kInt64: return Converted<To, int64_t>(tensor);
    case DataType::kUint64: return Converted<To, uint64_t>(tensor);
    default: assert(false && "not an integer tensor"); return {};
  }
}

}  // namespace

bool IsStatic(const Shape& shape) {
  for (int64_t dim : shape) {
    if (dim == kUnknownDim) return false;
  }
  return true;
}

std::string ShapeText(const Shape& shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); ++i) {
    if (i > 0) text += ", ";
    if (shape[i] == kUnknownDim) {
      text += "?";
    } else {
      absl::StrAppend(&text, shape[i]);
    }
  }
  return text + "]";
}

Tensor::Tensor(DataType type, Shape shape, std::shared_ptr<const void> data)
    : type_(type), shape_(std::move(shape)), data_(std::move(data)) {
  assert(IsStatic(shape_));
}

TensorPtr Tensor::Copy(DataType type, Shape shape, std::span<const std::byte> bytes) {
  assert(bytes.size() == static_cast<size_t>(ElementCount(shape)) * ElementSize(type));
  std::shared_ptr<void> data = kernels::AllocateAligned(bytes.size());
  if (!bytes.empty()) std::memcpy(data.get(), bytes.data(), bytes.size());
  return std::make_shared<const Tensor>(type, std::move(shape), std::move(data));
}

std::vector<int64_t> Tensor::ToInt64() const { return ConvertedIntegers<int64_t>(*this); }

std::vector<float> Tensor::ToFloat() const {
  switch (type_) {
    case DataType::kFloat32: return Converted<float, float>(*this);
    case DataType::kFloat64: return Converted<float, double>(*this);
    case DataType::kFloat16:
    case DataType::kBFloat16: {
      std::vector<float> result;
      result.reserve(static_cast<size_t>(count()));
      for (uint16_t bits : as<uint16_t>()) {
        result.push_back(type_ == DataType::kFloat16 ? kernels::HalfToFloat(bits)
                                                     : kernels::BFloat16ToFloat(bits));
      }
      return result;
    }
    default: return ConvertedIntegers<float>(*this);
  }
}

}  // namespace fourfold::graph
