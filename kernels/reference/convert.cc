#include <cmath>
#include <type_traits>

#include "kernels/reference/loops.h"
#include "kernels/reference/reference.h"

namespace fourfold::kernels::reference {
namespace {

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

template <typename T, typename S>
T Truncate(S value) {
  if (std::isnan(value)) return 0;
  // 2^digits is exact in both float types, the largest integer need not be.
  const S above = std::ldexp(S{1}, std::numeric_limits<T>::digits);
  if (value >= above) return std::numeric_limits<T>::max();
  if (value <= static_cast<S>(std::numeric_limits<T>::min())) return std::numeric_limits<T>::min();
  return static_cast<T>(value);
}

template <typename T, typename S>
T Store(S value) {
  if constexpr (std::is_same_v<T, Half>) {
    return Half{FloatToHalf(static_cast<float>(value))};
  } else if constexpr (std::is_same_v<T, BFloat>) {
    return BFloat{FloatToBFloat16(static_cast<float>(value))};
  } else if constexpr (std::is_same_v<T, Bool>) {
    return Bool{static_cast<uint8_t>(value != S{0})};
  } else if constexpr (std::is_floating_point_v<S> && std::is_integral_v<T>) {
    return Truncate<T>(value);
  } else {
    return static_cast<T>(value);
  }
}

template <typename F>
PreparedPtr WithType(ElementType type, const F& f) {
  switch (type) {
    case ElementType::kFloat32: return f(float{});
    case ElementType::kFloat16: return f(Half{});
    case ElementType::kBFloat16: return f(BFloat{});
    case ElementType::kFloat64: return f(double{});
    case ElementType::kInt8: return f(int8_t{});
    case ElementType::kUint8: return f(uint8_t{});
    case ElementType::kInt16: return f(int16_t{});
    case ElementType::kUint16: return f(uint16_t{});
    case ElementType::kInt32: return f(int32_t{});
    case ElementType::kUint32: return f(uint32_t{});
    case ElementType::kInt64: return f(int64_t{});
    case ElementType::kUint64: return f(uint64_t{});
    case ElementType::kBool: return f(Bool{});
  }
  return nullptr;
}

template <typename S, typename T>
PreparedPtr Make(int64_t count) {
  return MakeKernel("reference/plain", [count](const RunArgs& args) {
    const S* src = Input<S>(args, 0);
    T* dst = Output<T>(args);
    ForRange(*args.parallel, count, 2, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) dst[i] = Store<T>(Value(src[i]));
    });
  });
}

}  // namespace

PreparedPtr PrepareConvert(const ConvertSpec& spec, const PrepareContext&) {
  return WithType(spec.src_type, [&](auto src) {
    return WithType(spec.dst_type,
                    [&](auto dst) { return Make<decltype(src), decltype(dst)>(spec.count); });
  });
}

}  // namespace fourfold::kernels::reference
