#pragma once

#include <span>

#include "kernels/kernel.h"

namespace fourfold::kernels {

// dst[i] = src[i] converted as C++ converts numbers, except: to kBool is x != 0, float to integer
// truncates and saturates (NaN gives 0), float16 and bfloat16 round half to even.
//
//   inputs   src        outputs  dst
struct ConvertSpec {
  ElementType src_type = ElementType::kFloat32;
  ElementType dst_type = ElementType::kFloat32;
  int64_t count = 0;
};

std::span<const Kernel<ConvertSpec>> ConvertKernels();

}  // namespace fourfold::kernels
