#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace fourfold::kernels {

// How one element is stored. Little-endian; kBool is one byte, 0 or 1; kFloat16 is IEEE binary16.
enum class ElementType : uint8_t {
  kFloat32,
  kFloat16,
  kBFloat16,
  kFloat64,
  kInt8,
  kUint8,
  kInt16,
  kUint16,
  kInt32,
  kUint32,
  kInt64,
  kUint64,
  kBool,
};

// Bytes of one element.
size_t ElementSize(ElementType type);

// "float32", "uint8", ...
std::string_view ElementTypeName(ElementType type);

// Logical dimensions, outermost first; for images batch, channels, then space, whatever the layout.
using Dims = std::vector<int64_t>;

// The order in memory of a tensor whose logical dimensions are N, C, spatial...
enum class Layout : uint8_t {
  kRowMajor,      // as the dimensions are written: NCHW
  kChannelsLast,  // N, spatial..., C: NHWC; the same as kRowMajor for ranks below 3
};

// What a buffer holds: nothing here owns memory.
struct TensorSpec {
  ElementType type = ElementType::kFloat32;
  Dims dims;
  Layout layout = Layout::kRowMajor;

  friend bool operator==(const TensorSpec&, const TensorSpec&) = default;
};

// Product of the dimensions; 1 for a scalar.
int64_t ElementCount(const Dims& dims);

size_t ByteSize(const TensorSpec& spec);

// Distance in elements between neighbours along each logical dimension.
std::vector<int64_t> Strides(const Dims& dims, Layout layout);

}  // namespace fourfold::kernels
