#pragma once

#include <span>

#include "kernels/kernel.h"

namespace fourfold::kernels {

// The determinants of `batch` row-major n x n matrices of real numbers, by elimination with row
// pivots in double.
//
//   inputs   src [batch, n, n]        outputs  dst [batch]
struct DeterminantSpec {
  ElementType type = ElementType::kFloat32;
  int64_t batch = 1;
  int64_t n = 1;
};

std::span<const Kernel<DeterminantSpec>> DeterminantKernels();

}  // namespace fourfold::kernels
