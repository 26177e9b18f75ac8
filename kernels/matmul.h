#pragma once

#include <span>

#include "kernels/accumulate.h"
#include "kernels/kernel.h"

namespace fourfold::kernels {

// dst[b, m, n] = sum_k lhs[b, m, k] * rhs[b, k, n], then as Accumulation says.
//
// With constant weights (sum.weights not null) rhs is sum.weights, shared by all batches: k x n
// row-major, or n x k with transpose_rhs; channels `o` are the n columns. Otherwise rhs is an input
// and the arithmetic is kFloat. A batch of lhs or rhs that is 1 is broadcast.
//
//   inputs   lhs, then rhs (if not constant), then QuantParams[samples] (kDynamicInt8), then the
//   residual outputs  dst
// dst may be the same buffer as the residual. All row-major.
struct MatMulSpec {
  ElementType src_type = ElementType::kFloat32;
  ElementType dst_type = ElementType::kFloat32;
  int64_t lhs_batch = 1;
  int64_t rhs_batch = 1;
  int64_t m = 0;
  int64_t n = 0;
  int64_t k = 0;
  bool transpose_lhs = false;  // lhs is stored k x m
  bool transpose_rhs = false;
  int64_t samples = 1;  // kDynamicInt8: batch * m rows divide evenly into this many samples
  Accumulation sum;
};

std::span<const Kernel<MatMulSpec>> MatMulKernels();

}  // namespace fourfold::kernels
