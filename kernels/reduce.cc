#include "kernels/reduce.h"

#include <array>

#include "kernels/reference/reference.h"

namespace fourfold::kernels {

std::span<const Kernel<ReduceSpec>> ReduceKernels() {
  static constexpr std::array kTable = {
      Kernel<ReduceSpec>{"reference", kNoFeatures, &reference::PrepareReduce},
  };
  return kTable;
}

}  // namespace fourfold::kernels
