#pragma once

#include <span>

#include "kernels/kernel.h"

namespace fourfold::kernels {

// dst = condition ? a : b, row-major with numpy broadcasting of all three (each may have fewer
// dimensions than dst). Elements of a, b and dst are moved as they are.
//
//   inputs   condition (kBool), a, b        outputs  dst
struct SelectSpec {
  size_t element_bytes = 4;
  Dims condition;
  Dims a;
  Dims b;
  Dims dst;
};

std::span<const Kernel<SelectSpec>> SelectKernels();

}  // namespace fourfold::kernels
