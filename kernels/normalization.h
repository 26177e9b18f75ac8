#pragma once

#include <span>

#include "kernels/kernel.h"

namespace fourfold::kernels {

// How a short vector is laid over all elements of a tensor: element e takes
// vector[e / run % count].
struct Repeated {
  int64_t run = 1;
  int64_t count = 0;  // 0: there is none
};

// Normalization over runs of consecutive float32 elements, row-major. Over each of `rows` rows of
// `length` elements:
//
//   mean     = sum(x) / length, or 0 where not `centered`
//   inverse  = 1 / sqrt(sum((x - mean)^2) / length + epsilon)
//   dst      = (x - mean) * inverse * scale + bias
// Sums are of blocks in float32, the blocks added in float64: as exact for long rows as for short
// ones. The two are computed one after the other, so that a large mean takes no digits away.
//
//   inputs   src, scale or null, bias or null     outputs  dst, mean [rows]?, inverse [rows]?
struct NormalizationSpec {
  int64_t rows = 0;
  int64_t length = 0;
  float epsilon = 1e-5f;
  bool centered = true;
  Repeated scale;
  Repeated bias;
};

std::span<const Kernel<NormalizationSpec>> NormalizationKernels();

// ONNX LpNormalization: dst = src / (sum(|src|^p))^(1/p) along an axis, 0 where the norm is 0;
// float32, row-major [outer, axis, inner], p 1 or 2.
//
//   inputs   src     outputs  dst
struct LpNormalizationSpec {
  int64_t p = 2;
  int64_t outer = 1;
  int64_t axis = 1;
  int64_t inner = 1;
};

std::span<const Kernel<LpNormalizationSpec>> LpNormalizationKernels();

// ONNX LRN: dst = src / (bias + alpha / size * sum(src^2))^beta, the sum over the channels from
// c - (size - 1) / 2 to c + size / 2 that there are; float32, row-major [batch, channels, space].
//
//   inputs   src     outputs  dst
struct LocalResponseNormSpec {
  int64_t batch = 1;
  int64_t channels = 1;
  int64_t space = 1;
  int64_t size = 1;
  float alpha = 1e-4f;
  float beta = 0.75f;
  float bias = 1.0f;
};

std::span<const Kernel<LocalResponseNormSpec>> LocalResponseNormKernels();

}  // namespace fourfold::kernels
