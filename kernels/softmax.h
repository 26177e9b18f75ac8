#pragma once

#include <span>

#include "kernels/kernel.h"

namespace fourfold::kernels {

// Softmax or its logarithm along the middle of an outer x axis x inner float32 array, row-major.
// The maximum is subtracted first. src and dst may be the same buffer.
//
//   inputs   src        outputs  dst
struct SoftmaxSpec {
  int64_t outer = 1;
  int64_t axis = 1;
  int64_t inner = 1;
  bool logarithm = false;
};

std::span<const Kernel<SoftmaxSpec>> SoftmaxKernels();

}  // namespace fourfold::kernels
