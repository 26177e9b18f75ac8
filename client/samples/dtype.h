#pragma once

#include <cstddef>
#include <cstdint>

#include "absl/strings/string_view.h"

namespace fourfold::samples {

// Element types of sample arrays: the plain numeric types of .npy files. The client side has its
// own list because it includes nothing of the server.
enum class DType : uint8_t {
  kFloat16,
  kFloat32,
  kFloat64,
  kInt8,
  kInt16,
  kInt32,
  kInt64,
  kUint8,
  kUint16,
  kUint32,
  kUint64,
  kBool,
};

// "float16", "int64", "bool": numpy's names.
absl::string_view DTypeName(DType dtype);

// Bytes of one element.
size_t DTypeBytes(DType dtype);

bool IsFloat(DType dtype);
bool IsInteger(DType dtype);  // signed or unsigned, not bool

}  // namespace fourfold::samples
