#pragma once

#include <span>

#include "kernels/kernel.h"

namespace fourfold::kernels {

// The k largest (smallest) elements of each line along an axis, best first, and their indices.
// Equal elements keep their order; NaN comes behind all numbers. Row-major, any type.
//
//   inputs   src        outputs  values [as src, k along axis] or null, indices (int64) or null
struct TopKSpec {
  TensorSpec src;
  size_t axis = 0;
  int64_t k = 0;  // 0 to the length of the axis
  bool largest = true;
};

std::span<const Kernel<TopKSpec>> TopKKernels();

}  // namespace fourfold::kernels
