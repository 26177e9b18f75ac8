#pragma once

#include <span>

#include "kernels/accumulate.h"
#include "kernels/kernel.h"

namespace fourfold::kernels {

// N-dimensional cross-correlation (ONNX Conv): src N x C x spatial (1 to 3 dimensions), weights
// O x C/groups x kernel row-major, dst N x O x spatial. Padding contributes the real value 0.
//
//   inputs   src, then QuantParams[N] (kDynamicInt8), then the residual (if any)
//   outputs  dst
// dst may be the same buffer as the residual. Layouts of src, dst and residual: both kinds, all
// equal.
struct ConvolutionSpec {
  TensorSpec src;
  TensorSpec dst;
  Dims weights;  // [O, C/groups, kernel...]
  int64_t groups = 1;
  Dims strides;
  Dims dilations;
  Dims pads_begin;
  Dims pads_end;
  Accumulation sum;
};

std::span<const Kernel<ConvolutionSpec>> ConvolutionKernels();

}  // namespace fourfold::kernels
