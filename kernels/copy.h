#pragma once

#include <span>

#include "kernels/kernel.h"

namespace fourfold::kernels {

// Moves elements between strided arrays: transpose, slice, expand, layout change and one part of a
// concatenation are all this. For each index i in dims:
//   dst[dst_offset + sum i*dst_strides] = src[src_offset + sum i*src_strides]
// Offsets and strides count elements; source strides may be 0 or negative.
//
//   inputs   src        outputs  dst (does not overlap src)
struct CopySpec {
  size_t element_bytes = 4;  // 1, 2, 4 or 8
  Dims dims;
  std::vector<int64_t> src_strides;
  std::vector<int64_t> dst_strides;
  int64_t src_offset = 0;
  int64_t dst_offset = 0;
};

std::span<const Kernel<CopySpec>> CopyKernels();

}  // namespace fourfold::kernels
