#include "loadtest/elements.h"

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "client/datatype.h"

namespace fourfold::loadtest {
namespace {

using samples::DType;

struct Half {
  uint16_t bits;
  // IEEE 754 binary16: (-1)^sign * 1.fraction * 2^(exponent - 15).
  explicit operator double() const {
    const int exponent = (bits >> 10) & 0x1f;
    const int fraction = bits & 0x3ff;
    double value =
        exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(1024 + fraction, exponent - 25);
    if (exponent == 31) {
      value = fraction == 0 ? std::numeric_limits<double>::infinity()
                            : std::numeric_limits<double>::quiet_NaN();
    }
    return (bits & 0x8000) != 0 ? -value : value;
  }
};

template <typename T>
void Convert(const std::string& bytes, std::vector<double>& values) {
  static_assert(std::endian::native == std::endian::little);
  for (size_t at = 0; at < bytes.size(); at += sizeof(T)) {
    T value;
    std::memcpy(&value, bytes.data() + at, sizeof(T));
    values.push_back(static_cast<double>(value));
  }
}

}  // namespace

absl::StatusOr<std::vector<double>> Elements(const client::Tensor& tensor) {
  const auto dtype = client::ParseDatatype(tensor.datatype);
  if (!dtype.ok()) return dtype.status();
  const size_t element_bytes = samples::DTypeBytes(*dtype);
  if (tensor.bytes.size() % element_bytes != 0) {
    return absl::DataLossError(absl::StrCat("tensor ", tensor.name, " has ", tensor.bytes.size(),
                                            " bytes, wanted a multiple of ", element_bytes));
  }
  std::vector<double> values;
  values.reserve(tensor.bytes.size() / element_bytes);
  switch (*dtype) {
    case DType::kFloat16: Convert<Half>(tensor.bytes, values); break;
    case DType::kFloat32: Convert<float>(tensor.bytes, values); break;
    case DType::kFloat64: Convert<double>(tensor.bytes, values); break;
    case DType::kInt8: Convert<int8_t>(tensor.bytes, values); break;
    case DType::kInt16: Convert<int16_t>(tensor.bytes, values); break;
    case DType::kInt32: Convert<int32_t>(tensor.bytes, values); break;
    case DType::kInt64: Convert<int64_t>(tensor.bytes, values); break;
    case DType::kUint16: Convert<uint16_t>(tensor.bytes, values); break;
    case DType::kUint32: Convert<uint32_t>(tensor.bytes, values); break;
    case DType::kUint64: Convert<uint64_t>(tensor.bytes, values); break;
    case DType::kUint8:
    case DType::kBool: Convert<uint8_t>(tensor.bytes, values); break;
  }
  return values;
}

}  // namespace fourfold::loadtest
