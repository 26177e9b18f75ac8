#pragma once

#include <span>

#include "kernels/arithmetic.h"
#include "kernels/kernel.h"

namespace fourfold::kernels {

// dst[b, m, n] = activation(sum_k lhs[b, m, k] * rhs[b, k, n]) of two computed operands of 8 bits,
// as attention has them.
//
//   sum    of (lhs - its zero point) * (rhs - its zero point), exact int32
//   value  activation(float(sum) * multiplier), multiplier = lhs scale * rhs scale
//   dst    float32: value; uint8, int8: saturate(round(value) + zero point), where the multiplier
//   is
//          also divided by dst's scale and the activation, none or ReLU, is in its steps
//
// With `dynamic` the operands' parameters arrive with each call, one per sample: the batch divides
// evenly into `lhs_samples` (`rhs_samples`) samples; dst is float32.
//
//   inputs   lhs, rhs, then QuantParams[lhs_samples], QuantParams[rhs_samples] (dynamic)
//   outputs  dst
// All row-major. A batch of lhs or rhs that is 1 is broadcast. k is at most kMaxExactOperandSum.
struct QuantizedMatMulSpec {
  ElementType lhs_type = ElementType::kUint8;  // or kInt8
  ElementType rhs_type = ElementType::kUint8;  // or kInt8
  ElementType dst_type = ElementType::kFloat32;
  int64_t lhs_batch = 1;
  int64_t rhs_batch = 1;
  int64_t m = 0;
  int64_t n = 0;
  int64_t k = 0;
  bool transpose_lhs = false;  // lhs is stored k x m
  bool transpose_rhs = false;  // rhs is stored n x k
  QuantParams lhs, rhs, dst;   // of static operands; dst where it is integer
  bool dynamic = false;
  int64_t lhs_samples = 1;
  int64_t rhs_samples = 1;
  Activation activation;
};

// Longest sum of products of two 8-bit numbers less any zero points that cannot leave int32.
inline constexpr int64_t kMaxExactOperandSum = 33025;  // floor((2^31 - 1) / 255^2)

// Whether types and sizes fit together as said above.
bool IsConsistent(const QuantizedMatMulSpec& spec);

std::span<const Kernel<QuantizedMatMulSpec>> QuantizedMatMulKernels();

}  // namespace fourfold::kernels
