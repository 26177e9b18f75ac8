#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "absl/strings/string_view.h"
#include "kernels/tensor.h"

namespace fourfold::graph {

using DataType = kernels::ElementType;
using kernels::ElementCount;
using kernels::ElementSize;

// Dimensions of a value; kUnknownDim where only a call will tell. A rank that is not known is
// std::optional<Shape>.
using Shape = std::vector<int64_t>;
inline constexpr int64_t kUnknownDim = -1;

bool IsStatic(const Shape& shape);

// "[N, 3, 224, 224]" with ? for unknown dimensions.
std::string ShapeText(const Shape& shape);

inline std::string TypeText(DataType type) { return std::string(kernels::ElementTypeName(type)); }

// A constant: row-major elements that nobody changes, shared by graphs and plans.
class Tensor {
 public:
  Tensor(DataType type, Shape shape, std::shared_ptr<const void> data);

  // Owns a copy of `bytes`, which has to be as long as type and shape say.
  static std::shared_ptr<const Tensor> Copy(DataType type, Shape shape,
                                            std::span<const std::byte> bytes);

  template <typename T>
  static std::shared_ptr<const Tensor> Of(DataType type, Shape shape,
                                          const std::vector<T>& values) {
    return Copy(type, std::move(shape), std::as_bytes(std::span(values)));
  }

  DataType type() const { return type_; }
  const Shape& shape() const { return shape_; }
  int64_t count() const { return ElementCount(shape_); }
  size_t bytes() const { return static_cast<size_t>(count()) * ElementSize(type_); }
  const void* data() const { return data_.get(); }

  // The elements; T must be the storage of type().
  template <typename T>
  std::span<const T> as() const {
    return {static_cast<const T*>(data_.get()), static_cast<size_t>(count())};
  }

  // The elements of an integer or boolean tensor as int64; of a float tensor as float.
  std::vector<int64_t> ToInt64() const;
  std::vector<float> ToFloat() const;

 private:
  DataType type_;
  Shape shape_;
  std::shared_ptr<const void> data_;
};

using TensorPtr = std::shared_ptr<const Tensor>;

}  // namespace fourfold::graph
