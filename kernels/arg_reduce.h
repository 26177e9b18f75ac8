#pragma once

#include <span>

#include "kernels/kernel.h"

namespace fourfold::kernels {

// Where the largest (smallest) element of each line along the middle of an outer x axis x inner
// array stands, row-major, axis > 0: of equal ones the first, or the last. src is of `type`, any
// number; the order is that of C++'s <, so NaN is never larger or smaller.
//   dst is the index, int64 [outer, inner], or of src's type and shape: 1 there, 0 elsewhere.
//
//   inputs   src        outputs  dst
struct ArgReduceSpec {
  ElementType type = ElementType::kFloat32;
  int64_t outer = 1;
  int64_t axis = 1;
  int64_t inner = 1;
  bool minimum = false;
  bool select_last = false;
  bool one_hot = false;
};

std::span<const Kernel<ArgReduceSpec>> ArgReduceKernels();

}  // namespace fourfold::kernels
