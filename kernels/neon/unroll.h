#pragma once

#include <utility>

#define FOURFOLD_INLINE inline __attribute__((always_inline))

// Loops over constants, unrolled before the compiler decides which elements of an array it keeps in
// registers, which an ordinary loop is not. Everything here is inlined, so that files compiled for
// different instruction sets share no function.
namespace fourfold::kernels::neon {

template <int kValue>
struct Constant {
  FOURFOLD_INLINE constexpr operator int() const { return kValue; }
};

template <typename F, int... kI>
FOURFOLD_INLINE void EachOf(std::integer_sequence<int, kI...>, const F& f) {
  (f(Constant<kI>{}), ...);
}

// Calls f(Constant<0>) to f(Constant<kCount - 1>): Each<4>(FOURFOLD_EACH(i) { ... });
template <int kCount, typename F>
FOURFOLD_INLINE void Each(const F& f) {
  EachOf(std::make_integer_sequence<int, kCount>{}, f);
}
#define FOURFOLD_EACH(i) [&](auto i) __attribute__((always_inline))

}  // namespace fourfold::kernels::neon
