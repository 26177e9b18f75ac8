#pragma once

#include <span>

#include "kernels/arithmetic.h"
#include "kernels/kernel.h"

namespace fourfold::kernels {

// Convolution whose weights are computed like its source: float32, row-major, 1 to 3 dimensions of
// space. kernels/convolution.h serves constant weights.
//
//   forward     ONNX Conv, weights [O, C/groups, kernel...]:
//                 dst[o, y] = bias[o] + sum(src[c, y * stride - pad + k * dilation] * w[o, c, k])
//   transposed  ONNX ConvTranspose, weights [C, O/groups, kernel...]:
//                 dst[o, y] = bias[o] + sum(src[c, x] * w[c, o, k])
//                 over all x, k with y = x * stride - pad + k * dilation
// What lies outside of src counts as 0. Sums begin with the bias and run over c, then k, in
// row-major order, in float32. Then dst = activation(dst + residual).
//
//   inputs   src [N, C, in...], weights, bias [O] or null, residual (as dst) or null
//   outputs  dst [N, O, out...]
struct PlainConvolutionSpec {
  bool transposed = false;
  TensorSpec src;
  TensorSpec weights;
  TensorSpec dst;
  int64_t groups = 1;
  Dims strides;  // one per dimension of space, as the next two
  Dims dilations;
  Dims pads_begin;  // may be negative
  Activation activation;
};

std::span<const Kernel<PlainConvolutionSpec>> PlainConvolutionKernels();

}  // namespace fourfold::kernels
