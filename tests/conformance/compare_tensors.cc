#include "tests/conformance/compare_tensors.h"

#include <algorithm>
#include <cmath>
#include <concepts>
#include <string>

#include "absl/strings/str_cat.h"
#include "kernels/arithmetic.h"

namespace fourfold::conformance {
namespace {

using graph::DataType;
using graph::Tensor;

// Eight significant bits. ONNX's cases truncate to it, the standard rounds; its runner compares the
// bits as integers.
constexpr double kBFloat16Step = 1.0 / 128;

bool Equal(double got, double wanted, const Tolerance& tolerance) {
  if (std::isnan(got) || std::isnan(wanted)) return std::isnan(got) && std::isnan(wanted);
  if (std::isinf(got) || std::isinf(wanted)) return got == wanted;
  return std::abs(got - wanted) <= tolerance.absolute + tolerance.relative * std::abs(wanted);
}

// Compares element by element; `equal` and `text` take two, or one, of the stored elements.
template <typename T, typename EqualElements, typename Text>
absl::Status CompareElements(const Tensor& got, const Tensor& wanted, EqualElements equal,
                             Text text) {
  const auto lhs = got.as<T>();
  const auto rhs = wanted.as<T>();
  size_t differing = 0;
  std::string first;
  for (size_t i = 0; i < rhs.size(); ++i) {
    if (equal(lhs[i], rhs[i])) continue;
    if (differing++ == 0) {
      first = absl::StrCat("element ", i, " is ", text(lhs[i]), ", wanted ", text(rhs[i]));
    }
  }
  if (differing == 0) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat(first, "; ", differing, " of ", rhs.size(), " differ"));
}

template <std::integral T>
absl::Status CompareIntegers(const Tensor& got, const Tensor& wanted) {
  return CompareElements<T>(
      got, wanted, [](T a, T b) { return a == b; }, [](T a) { return std::to_string(a); });
}

template <typename T, typename Widen>
absl::Status CompareFloats(const Tensor& got, const Tensor& wanted, const Tolerance& tolerance,
                           Widen widen) {
  return CompareElements<T>(
      got, wanted, [&](T a, T b) { return Equal(widen(a), widen(b), tolerance); },
      [&](T a) { return absl::StrCat(widen(a)); });
}

}  // namespace

absl::Status CompareTensors(const Tensor& got, const Tensor& wanted, const Tolerance& tolerance) {
  if (got.type() != wanted.type() || got.shape() != wanted.shape()) {
    return absl::FailedPreconditionError(absl::StrCat(
        "is ", graph::TypeText(got.type()), " ", graph::ShapeText(got.shape()), ", wanted ",
        graph::TypeText(wanted.type()), " ", graph::ShapeText(wanted.shape())));
  }
  const auto floats = [](auto value) { return static_cast<double>(value); };
  switch (got.type()) {
    case DataType::kFloat32: return CompareFloats<float>(got, wanted, tolerance, floats);
    case DataType::kFloat64: return CompareFloats<double>(got, wanted, tolerance, floats);
    case DataType::kFloat16:
      return CompareFloats<uint16_t>(got, wanted, tolerance, [](uint16_t bits) {
        return static_cast<double>(kernels::HalfToFloat(bits));
      });
    case DataType::kBFloat16:
      return CompareFloats<uint16_t>(
          got, wanted, {std::max(tolerance.relative, kBFloat16Step)},
          [](uint16_t bits) { return static_cast<double>(kernels::BFloat16ToFloat(bits)); });
    case DataType::kInt8: return CompareIntegers<int8_t>(got, wanted);
    case DataType::kUint8:
    case DataType::kBool: return CompareIntegers<uint8_t>(got, wanted);
    case DataType::kInt16: return CompareIntegers<int16_t>(got, wanted);
    case DataType::kUint16: return CompareIntegers<uint16_t>(got, wanted);
    case DataType::kInt32: return CompareIntegers<int32_t>(got, wanted);
    case DataType::kUint32: return CompareIntegers<uint32_t>(got, wanted);
    case DataType::kInt64: return CompareIntegers<int64_t>(got, wanted);
    case DataType::kUint64: return CompareIntegers<uint64_t>(got, wanted);
  }
  return absl::InternalError("element type out of range");
}

}  // namespace fourfold::conformance
