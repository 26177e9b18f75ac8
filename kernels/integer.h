#pragma once

#include <span>

#include "kernels/kernel.h"

namespace fourfold::kernels {

// Sums of products of 8-bit integers as int32 (ONNX ConvInteger and MatMulInteger): exact, modulo
// 2^32 where a sum leaves int32. Zero points have the type of their operand; padding contributes 0.

// dst[n, o, place] = sum (src - src zero point) * (weights - weights zero point of o).
//
//   inputs   src, weights, src zero point [1]?, weights zero points [1 or O]? (null where absent)
//   outputs  dst int32
// src N x C x spatial (1 to 3 dimensions), weights O x C/groups x kernel; uint8 or int8 each, all
// row-major.
struct IntegerConvolutionSpec {
  TensorSpec src;
  TensorSpec weights;
  TensorSpec dst;
  int64_t groups = 1;
  Dims strides;
  Dims dilations;
  Dims pads_begin;
  Dims pads_end;
  int64_t weights_zero_points = 0;  // how many; 0: absent
};

// dst[b, m, n] = sum_k (lhs[b, m, k] - lhs zero point of m) * (rhs[b, k, n] - rhs zero point of n).
//
//   inputs   lhs, rhs, lhs zero points [1 or m]?, rhs zero points [1 or n]? (null where absent)
//   outputs  dst int32
// A batch of lhs or rhs is broadcast along dimensions of 1.
struct IntegerMatMulSpec {
  ElementType lhs_type = ElementType::kUint8;
  ElementType rhs_type = ElementType::kUint8;
  Dims lhs_batch;  // equally many dimensions
  Dims rhs_batch;
  int64_t m = 0;
  int64_t n = 0;
  int64_t k = 0;
  int64_t lhs_zero_points = 0;  // how many; 0: absent
  int64_t rhs_zero_points = 0;
};

std::span<const Kernel<IntegerConvolutionSpec>> IntegerConvolutionKernels();
std::span<const Kernel<IntegerMatMulSpec>> IntegerMatMulKernels();

}  // namespace fourfold::kernels
