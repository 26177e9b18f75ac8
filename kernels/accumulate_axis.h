#pragma once

#include <span>

#include "kernels/kernel.h"

namespace fourfold::kernels {

// Running sums along the middle of an outer x axis x inner array of any numbers, row-major:
//   dst[i] = src[0] + ... + src[i]; exclusive: without src[i]; reverse: from the end on.
// 16-bit floats are summed in float32, integers in two's complement.
//
//   inputs   src        outputs  dst
struct AccumulateAxisSpec {
  ElementType type = ElementType::kFloat32;
  int64_t outer = 1;
  int64_t axis = 1;
  int64_t inner = 1;
  bool exclusive = false;
  bool reverse = false;
};

std::span<const Kernel<AccumulateAxisSpec>> AccumulateAxisKernels();

}  // namespace fourfold::kernels
