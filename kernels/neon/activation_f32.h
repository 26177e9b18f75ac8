#pragma once

#include <arm_neon.h>

#include "kernels/arithmetic.h"

// Activations of four float32 values, for files compiled for plain NEON. What is made of additions,
// multiplications, divisions and comparisons has the reference's bits, NaN and -0 included;
// sigmoid, tanh, swish and elu are within 4 units in the last place of it, relative to 1 where they
// are small differences.
namespace fourfold::kernels::neon {

// e^x to 2 units in the last place; 0 below -104, infinity above 88.8, NaN for NaN. Reduction to
// |r| <= ln 2 / 2, a polynomial interpolated at Chebyshev nodes (its error is 1.1e-8), and a
// scaling in two steps so that the results at both ends of the range are rounded, not cut off.
inline float32x4_t ExpF32(float32x4_t x) {
  constexpr float kLog2E = 1.4426950216293335f;
  constexpr float kLn2High = 0.693359375f;  // so short that n times it is exact
  constexpr float kLn2Low = -0.00021219444170128554f;
  x = vminq_f32(vmaxq_f32(x, vdupq_n_f32(-105.0f)), vdupq_n_f32(89.0f));  // keep NaN
  const float32x4_t n = vrndnq_f32(vmulq_n_f32(x, kLog2E));
  float32x4_t r = vfmsq_n_f32(x, n, kLn2High);
  r = vfmsq_n_f32(r, n, kLn2Low);
  float32x4_t p = vdupq_n_f32(0.0013926184037700295f);
  p = vfmaq_f32(vdupq_n_f32(0.008363178931176662f), p, r);
  p = vfmaq_f32(vdupq_n_f32(0.041666556149721146f), p, r);
  p = vfmaq_f32(vdupq_n_f32(0.16666576266288757f), p, r);
  p = vfmaq_f32(vdupq_n_f32(0.5f), p, r);
  p = vfmaq_f32(r, p, vmulq_f32(r, r));
  p = vaddq_f32(p, vdupq_n_f32(1.0f));
  const int32x4_t exponent = vcvtq_s32_f32(n);
  const int32x4_t half = vshrq_n_s32(exponent, 1);
  const auto power = [](int32x4_t e) {
    return vreinterpretq_f32_s32(vshlq_n_s32(vaddq_s32(e, vdupq_n_s32(127)), 23));
  };
  return vmulq_f32(vmulq_f32(p, power(half)), power(vsubq_s32(exponent, half)));
}

// An odd polynomial near 0, elsewhere 1 - 2 / (e^2|x| + 1) with x's sign.
inline float32x4_t TanhF32(float32x4_t x) {
  const float32x4_t one = vdupq_n_f32(1.0f);
  const float32x4_t square = vmulq_f32(x, x);
  float32x4_t p = vdupq_n_f32(-0.006096714176237583f);
  p = vfmaq_f32(vdupq_n_f32(0.020997179672122f), p, square);
  p = vfmaq_f32(vdupq_n_f32(-0.05385090783238411f), p, square);
  p = vfmaq_f32(vdupq_n_f32(0.1333276927471161f), p, square);
  p = vfmaq_f32(vdupq_n_f32(-0.333333283662796f), p, square);
  const float32x4_t near = vfmaq_f32(x, vmulq_f32(p, square), x);
  const float32x4_t size = vabsq_f32(x);
  const float32x4_t power = ExpF32(vaddq_f32(size, size));
  const float32x4_t far = vsubq_f32(one, vdivq_f32(vdupq_n_f32(2.0f), vaddq_f32(power, one)));
  const float32x4_t signed_far = vbslq_f32(vdupq_n_u32(0x80000000u), x, far);
  return vbslq_f32(vcltq_f32(size, vdupq_n_f32(0.625f)), near, signed_far);
}

// 1 + e^-x.
inline float32x4_t OnePlusExpOfMinus(float32x4_t x) {
  return vaddq_f32(vdupq_n_f32(1.0f), ExpF32(vnegq_f32(x)));
}

// Comparisons instead of FMAX and FMIN, which treat NaN and -0 otherwise than std::max and
// std::min.
inline float32x4_t MaxF32(float32x4_t x, float32x4_t low) {
  return vbslq_f32(vcltq_f32(x, low), low, x);
}
inline float32x4_t MinF32(float32x4_t x, float32x4_t high) {
  return vbslq_f32(vcltq_f32(high, x), high, x);
}

inline float32x4_t ActivateF32(const Activation& activation, float32x4_t x) {
  const float32x4_t zero = vdupq_n_f32(0.0f);
  switch (activation.kind) {
    case Activation::Kind::kNone: return x;
    case Activation::Kind::kRelu:
      return vreinterpretq_f32_u32(vandq_u32(vreinterpretq_u32_f32(x), vcgtq_f32(x, zero)));
    case Activation::Kind::kClip:
      return MinF32(MaxF32(x, vdupq_n_f32(activation.alpha)), vdupq_n_f32(activation.beta));
    case Activation::Kind::kLeakyRelu:
      return vbslq_f32(vcltq_f32(x, zero), vmulq_n_f32(x, activation.alpha), x);
    case Activation::Kind::kSigmoid: return vdivq_f32(vdupq_n_f32(1.0f), OnePlusExpOfMinus(x));
    case Activation::Kind::kTanh: return TanhF32(x);
    case Activation::Kind::kHardSwish: {
      const float32x4_t gate = vaddq_f32(vdivq_f32(x, vdupq_n_f32(6.0f)), vdupq_n_f32(0.5f));
      return vmulq_f32(x, MinF32(MaxF32(gate, zero), vdupq_n_f32(1.0f)));
    }
    case Activation::Kind::kSwish: return vdivq_f32(x, OnePlusExpOfMinus(x));
    case Activation::Kind::kElu: {
      const float32x4_t below = vsubq_f32(ExpF32(x), vdupq_n_f32(1.0f));
      return vbslq_f32(vcltq_f32(x, zero), vmulq_n_f32(below, activation.alpha), x);
    }
  }
  return x;
}

}  // namespace fourfold::kernels::neon
