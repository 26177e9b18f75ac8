#pragma once

#include <cstdint>
#include <span>

#include "kernels/arithmetic.h"
#include "kernels/tensor.h"

namespace fourfold::kernels {

// What convolution and matrix multiplication have in common: the constant weights, the arithmetic,
// and what is fused behind the sum. `o` is the output channel (column).
//
//   kFloat         src float32, weights float32 or float16 (expanded), dst float32:
//                    dst = activation(sum + bias[o] + residual)
//   kStaticInt8    src uint8 or int8 with src_zero_point, weights int8 or uint8 with
//                  weights_zero_point; exact sums of (src - zero point) * (weight - zero point):
//                    v = (float(sum) + bias[o]) * multiplier[o]
//                    dst uint8/int8 = saturate(round(activation(v) * dst_scale_inverse) +
//                    dst_zero_point) dst float32    = activation(v) (+ residual before the
//                    activation)
//                  bias is in units of the sum, an integer-valued float; with dst_scale_inverse 1
//                  the multiplier is src scale * weight scale / dst scale, the activation in dst
//                  units, and results are the same bytes in every engine. float(sum) and bias are
//                  exact up to 2^24.
//   kDynamicInt8   as kStaticInt8 with float32 dst, but the source's scale and zero point arrive
//   with
//                  each call, one QuantParams per sample (first dimension of src):
//                    dst = activation(sum * (src scale * multiplier[o]) + bias[o] + residual)
//                  multiplier is the weight scale; bias and residual are in real units.
//
// An int32 sum is exact for up to 66,000 products of uint8 and int8; a longer one is refused.
// Weights with a zero point are numbers of nine bits, whose sums are half as long.
enum class Arithmetic : uint8_t { kFloat, kStaticInt8, kDynamicInt8 };

struct Accumulation {
  Arithmetic arithmetic = Arithmetic::kFloat;

  // Borrowed: outlive the prepared kernel.
  const void* weights = nullptr;
  ElementType weights_type = ElementType::kFloat32;
  std::span<const float> bias;        // [O], empty for none
  std::span<const float> multiplier;  // [O], integer arithmetic only
  std::span<const int32_t>
      weights_zero_point;  // [O], integer arithmetic; empty: int8 weights, all 0

  // Identifies weights + bias + multiplier within PackedWeights; 0: not shared.
  uint64_t weights_id = 0;

  int32_t src_zero_point = 0;  // kStaticInt8
  int32_t dst_zero_point = 0;  // integer dst
  float dst_scale_inverse = 1.0f;

  Activation activation;
  bool residual = false;  // one more input, float32, dims and layout of dst

  friend bool operator==(const Accumulation&, const Accumulation&) = delete;
};

// Longest sum that cannot leave int32: floor((2^31 - 1) / (255 * 127)).
inline constexpr int64_t kMaxExactSum = 66311;

// The same with weights of nine bits: floor((2^31 - 1) / (255 * 255)).
inline constexpr int64_t kMaxExactWideSum = 33025;

}  // namespace fourfold::kernels
