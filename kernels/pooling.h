#pragma once

#include <span>

#include "kernels/arithmetic.h"
#include "kernels/kernel.h"

namespace fourfold::kernels {

// Maximum or average over windows (ONNX MaxPool, AveragePool; a global pool has the window of the
// whole image). src and dst N x C x spatial, equal types and layouts: float32, or uint8/int8.
// dst dims decide how many windows there are (ceil_mode); a window may reach past the padding.
//
//   average of integers: saturate(round(sum(src - src.zero_point) * (src.scale / dst.scale / count))
//                        + dst.zero_point); maximum of integers: src and dst have the same params.
//
//   inputs   src        outputs  dst
struct PoolingSpec {
  enum class Kind : uint8_t {
    kMax,
    kAverage,             // over the elements inside the image
    kAverageIncludePad,   // over the elements inside the padded image
  };
  Kind kind = Kind::kMax;
  TensorSpec src;
  TensorSpec dst;
  Dims kernel;
  Dims strides;
  Dims dilations;  // kMax only; empty for 1
  Dims pads_begin;
  Dims pads_end;
  QuantParams src_params;
  QuantParams dst_params;
};

std::span<const Kernel<PoolingSpec>> PoolingKernels();

}  // namespace fourfold::kernels
