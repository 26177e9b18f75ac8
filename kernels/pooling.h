#pragma once

#include <span>

#include "kernels/arithmetic.h"
#include "kernels/kernel.h"

namespace fourfold::kernels {

// Maximum, average or norm over windows (ONNX MaxPool, AveragePool, LpPool; a global pool has the
// window of the whole image). src and dst N x C x spatial, equal types and layouts: float32, or
// uint8/int8 (not kLp).
// dst dims decide how many windows there are (ceil_mode); a window may reach past the padding.
//
//   average of integers, where one window covers exactly the whole image (a global pool):
//     dst = saturate(round(sum(src - src.zero_point) * (src.scale / (dst.scale * count)))
//           + dst.zero_point), the sum exact; as ONNX Runtime's QLinearGlobalAveragePool
//   other averages of integers, all in float32, summed in row-major order of the window:
//     mean = sum(src.scale * (src - src.zero_point)) / count
//     dst = saturate(round(mean / dst.scale + dst.zero_point)); as its QLinearAveragePool
//   maximum of integers: src and dst have the same params.
//   norm: sum(|src|^p)^(1/p) over the elements inside the image.
//   A window without any element gives 0 (average, norm; integers: dst's zero point) or the lowest
//   value.
//
//   inputs   src        outputs  dst, indices (int64, only if wanted; or null)
// Indices say where in the whole of src, row-major or with its space in column-major order, the
// first of the largest elements stands; row-major layout only. 0 for a window without any.
struct PoolingSpec {
  enum class Kind : uint8_t {
    kMax,
    kAverage,            // over the elements inside the image
    kAverageIncludePad,  // over the elements inside the padded image
    kLp,
  };
  Kind kind = Kind::kMax;
  int64_t p = 2;              // kLp, at least 1
  bool indices = false;       // kMax
  bool column_major = false;  // of the indices
  TensorSpec src;
  TensorSpec dst;
  Dims kernel;
  Dims strides;
  Dims dilations;  // empty for 1
  Dims pads_begin;
  Dims pads_end;
  QuantParams src_params;
  QuantParams dst_params;
};

std::span<const Kernel<PoolingSpec>> PoolingKernels();

}  // namespace fourfold::kernels
