#pragma once

#include <cmath>
#include <cstring>
#include <limits>
#include <type_traits>

#include "kernels/arithmetic.h"
#include "kernels/kernel.h"

// Elements as they are stored, and the C++ types in which they are computed with.
namespace fourfold::kernels::reference {

// Storage types that C++ has no arithmetic for.
struct Half {
  uint16_t bits;
};
struct BFloat {
  uint16_t bits;
};
struct Bool {
  uint8_t value;
};

// The number that is stored: float of the 16-bit floats, uint8_t 0 or 1 of booleans.
template <typename T>
auto Value(T stored) {
  if constexpr (std::is_same_v<T, Half>) {
    return HalfToFloat(stored.bits);
  } else if constexpr (std::is_same_v<T, BFloat>) {
    return BFloat16ToFloat(stored.bits);
  } else if constexpr (std::is_same_v<T, Bool>) {
    return static_cast<uint8_t>(stored.value != 0);
  } else {
    return stored;
  }
}

// What Value gives.
template <typename T>
using Computed = decltype(Value(T{}));

template <typename T, typename S>
T Truncate(S value) {
  if (std::isnan(value)) return 0;
  // 2^digits is exact in both float types, the largest integer need not be.
  const S above = std::ldexp(S{1}, std::numeric_limits<T>::digits);
  if (value >= above) return std::numeric_limits<T>::max();
  if (value <= static_cast<S>(std::numeric_limits<T>::min())) return std::numeric_limits<T>::min();
  return static_cast<T>(value);
}

// A double that is not a float, as a float on whose side of a 16-bit tie it stays.
inline float Narrow(double value) {
  float near = static_cast<float>(value);
  if (std::isinf(near) || std::isnan(near) || static_cast<double>(near) == value) return near;
  // Round to odd: towards zero, then the last bit set.
  if (std::fabs(static_cast<double>(near)) > std::fabs(value)) near = std::nextafter(near, 0.0f);
  uint32_t bits;
  static_assert(sizeof bits == sizeof near);
  std::memcpy(&bits, &near, sizeof bits);
  bits |= 1;
  std::memcpy(&near, &bits, sizeof bits);
  return near;
}

// `value` as convert.h converts it.
template <typename T, typename S>
T Store(S value) {
  if constexpr (std::is_same_v<T, Half> || std::is_same_v<T, BFloat>) {
    float number;
    if constexpr (std::is_same_v<S, double>) {
      number = Narrow(value);
    } else {
      number = static_cast<float>(value);
    }
    if constexpr (std::is_same_v<T, Half>) {
      return Half{FloatToHalf(number)};
    } else {
      return BFloat{FloatToBFloat16(number)};
    }
  } else if constexpr (std::is_same_v<T, Bool>) {
    return Bool{static_cast<uint8_t>(value != S{0})};
  } else if constexpr (std::is_floating_point_v<S> && std::is_integral_v<T>) {
    return Truncate<T>(value);
  } else {
    return static_cast<T>(value);
  }
}

// Calls f with a value of the storage type that `type` names: any real one, any integer, a number
// (either), or anything. Null for other types.
template <typename F>
PreparedPtr WithReal(ElementType type, const F& f) {
  switch (type) {
    case ElementType::kFloat32: return f(float{});
    case ElementType::kFloat16: return f(Half{});
    case ElementType::kBFloat16: return f(BFloat{});
    case ElementType::kFloat64: return f(double{});
    default: return nullptr;
  }
}

template <typename F>
PreparedPtr WithInteger(ElementType type, const F& f) {
  switch (type) {
    case ElementType::kInt8: return f(int8_t{});
    case ElementType::kUint8: return f(uint8_t{});
    case ElementType::kInt16: return f(int16_t{});
    case ElementType::kUint16: return f(uint16_t{});
    case ElementType::kInt32: return f(int32_t{});
    case ElementType::kUint32: return f(uint32_t{});
    case ElementType::kInt64: return f(int64_t{});
    case ElementType::kUint64: return f(uint64_t{});
    default: return nullptr;
  }
}

template <typename F>
PreparedPtr WithNumber(ElementType type, const F& f) {
  PreparedPtr real = WithReal(type, f);
  return real != nullptr ? std::move(real) : WithInteger(type, f);
}

template <typename F>
PreparedPtr WithType(ElementType type, const F& f) {
  return type == ElementType::kBool ? f(Bool{}) : WithNumber(type, f);
}

// Reads element i of an array of some type as an E (int64_t: of uint64 the bits; or double).
template <typename E>
using Reader = E (*)(const void* from, int64_t i);

template <typename S, typename E>
E ReadAs(const void* from, int64_t i) {
  return static_cast<E>(Value(static_cast<const S*>(from)[i]));
}

template <typename E>
Reader<E> ReaderOf(ElementType type) {
  switch (type) {
    case ElementType::kFloat32: return &ReadAs<float, E>;
    case ElementType::kFloat16: return &ReadAs<Half, E>;
    case ElementType::kBFloat16: return &ReadAs<BFloat, E>;
    case ElementType::kFloat64: return &ReadAs<double, E>;
    case ElementType::kInt8: return &ReadAs<int8_t, E>;
    case ElementType::kUint8: return &ReadAs<uint8_t, E>;
    case ElementType::kInt16: return &ReadAs<int16_t, E>;
    case ElementType::kUint16: return &ReadAs<uint16_t, E>;
    case ElementType::kInt32: return &ReadAs<int32_t, E>;
    case ElementType::kUint32: return &ReadAs<uint32_t, E>;
    case ElementType::kInt64: return &ReadAs<int64_t, E>;
    case ElementType::kUint64: return &ReadAs<uint64_t, E>;
    case ElementType::kBool: return &ReadAs<Bool, E>;
  }
  return nullptr;
}

inline bool IsReal(ElementType type) {
  return type == ElementType::kFloat32 || type == ElementType::kFloat16 ||
         type == ElementType::kBFloat16 || type == ElementType::kFloat64;
}

}  // namespace fourfold::kernels::reference
