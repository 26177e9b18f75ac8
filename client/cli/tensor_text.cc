#include "client/cli/tensor_text.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "client/cli/table.h"
#include "client/datatype.h"
#include "nlohmann/json.hpp"

namespace fourfold::cli {
namespace {

using nlohmann::ordered_json;
using samples::DType;

// IEEE 754 binary16: (-1)^sign * 1.fraction * 2^(exponent - 15).
double HalfToDouble(uint16_t half) {
  const int exponent = (half >> 10) & 0x1f;
  const int fraction = half & 0x3ff;
  double value = 0;
  if (exponent == 31) {
    value = fraction != 0 ? std::numeric_limits<double>::quiet_NaN()
                          : std::numeric_limits<double>::infinity();
  } else if (exponent == 0) {
    value = std::ldexp(fraction, -24);
  } else {
    value = std::ldexp(1024 + fraction, exponent - 25);
  }
  return (half & 0x8000) != 0 ? -value : value;
}

template <typename T>
T Load(const char* bytes) {
  static_assert(std::endian::native == std::endian::little);
  T value;
  std::memcpy(&value, bytes, sizeof(T));
  return value;
}

// Calls visit(value) for one element, with a type that holds it exactly.
template <typename Visit>
auto VisitElement(DType dtype, const char* at, Visit visit) {
  switch (dtype) {
    case DType::kFloat16: return visit(HalfToDouble(Load<uint16_t>(at)));
    case DType::kFloat32: return visit(Load<float>(at));
    case DType::kFloat64: return visit(Load<double>(at));
    case DType::kInt8: return visit(Load<int8_t>(at));
    case DType::kInt16: return visit(Load<int16_t>(at));
    case DType::kInt32: return visit(Load<int32_t>(at));
    case DType::kInt64: return visit(Load<int64_t>(at));
    case DType::kUint8: return visit(Load<uint8_t>(at));
    case DType::kUint16: return visit(Load<uint16_t>(at));
    case DType::kUint32: return visit(Load<uint32_t>(at));
    case DType::kUint64: return visit(Load<uint64_t>(at));
    case DType::kBool: break;
  }
  return visit(*at != 0);
}

struct Elements {
  DType dtype;
  int64_t count;
};

absl::StatusOr<Elements> Check(const client::Tensor& tensor) {
  const auto dtype = client::ParseDatatype(tensor.datatype);
  if (!dtype.ok()) {
    return absl::Status(dtype.status().code(),
                        absl::StrCat("output ", tensor.name, ": ", dtype.status().message()));
  }
  const auto element_bytes = static_cast<int64_t>(samples::DTypeBytes(*dtype));
  const int64_t count = static_cast<int64_t>(tensor.bytes.size()) / element_bytes;
  // In double, because the server's dimensions may multiply to anything.
  double wanted = static_cast<double>(element_bytes);
  for (const int64_t dim : tensor.shape) wanted *= static_cast<double>(dim);
  if (wanted != static_cast<double>(tensor.bytes.size())) {
    return absl::DataLossError(absl::StrCat("output ", tensor.name, " of ", tensor.datatype, " ",
                                            FormatShape(tensor.shape), " has ", tensor.bytes.size(),
                                            " bytes, wanted ", wanted));
  }
  return Elements{*dtype, count};
}

const char* At(const client::Tensor& tensor, DType dtype, int64_t index) {
  return tensor.bytes.data() + index * static_cast<int64_t>(samples::DTypeBytes(dtype));
}

}  // namespace

absl::StatusOr<ordered_json> ElementsToJson(const client::Tensor& tensor, int64_t limit) {
  const auto elements = Check(tensor);
  if (!elements.ok()) return elements.status();
  ordered_json json = ordered_json::array();
  for (int64_t i = 0; i < std::min(limit, elements->count); ++i) {
    VisitElement(elements->dtype, At(tensor, elements->dtype, i),
                 [&json](auto value) { json.push_back(value); });
  }
  return json;
}

absl::StatusOr<std::string> ElementsToText(const client::Tensor& tensor, int64_t limit) {
  const auto elements = Check(tensor);
  if (!elements.ok()) return elements.status();
  std::vector<std::string> words;
  for (int64_t i = 0; i < std::min(limit, elements->count); ++i) {
    words.push_back(VisitElement(elements->dtype, At(tensor, elements->dtype, i), [](auto value) {
      return absl::StrFormat("%.5g", static_cast<double>(value));
    }));
  }
  if (elements->count > limit) words.push_back("...");
  return absl::StrJoin(words, " ");
}

absl::StatusOr<std::string> LargestToText(const client::Tensor& tensor, int64_t limit) {
  const auto elements = Check(tensor);
  if (!elements.ok()) return elements.status();
  if (tensor.shape.size() < 2 || tensor.shape.back() < 2) return std::string();
  const int64_t width = tensor.shape.back();
  const int64_t rows = elements->count / width;
  std::vector<std::string> words;
  for (int64_t row = 0; row < std::min(limit, rows); ++row) {
    int64_t best = 0;
    double best_value = -std::numeric_limits<double>::infinity();
    for (int64_t i = 0; i < width; ++i) {
      const double value =
          VisitElement(elements->dtype, At(tensor, elements->dtype, row * width + i),
                       [](auto element) { return static_cast<double>(element); });
      if (value > best_value) {
        best = i;
        best_value = value;
      }
    }
    words.push_back(absl::StrCat(best));
  }
  if (rows > limit) words.push_back("...");
  return absl::StrJoin(words, " ");
}

}  // namespace fourfold::cli
