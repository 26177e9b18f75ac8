#pragma once

#include <span>

#include "kernels/kernel.h"

namespace fourfold::kernels {

// ONNX MaxUnpool: dst is 0 but for the elements that indices name, which are src's. Indices count
// the elements of a tensor of dims `indexed`, whose corner at the origin dst shares; what dst does
// not have is left out. 4-byte elements; of equal indices the last wins. Reports an index outside
// of `indexed` as a fault and leaves it out.
//
//   inputs   src [count], indices [count] (int64)     outputs  dst
struct UnpoolingSpec {
  int64_t count = 0;
  Dims indexed;
  Dims dst;  // of the same rank
};

std::span<const Kernel<UnpoolingSpec>> UnpoolingKernels();

}  // namespace fourfold::kernels
