#include "kernels/arg_reduce.h"

#include <array>

#include "kernels/reference/reference.h"

namespace fourfold::kernels {

std::span<const Kernel<ArgReduceSpec>> ArgReduceKernels() {
  static constexpr std::array kTable = {
      Kernel<ArgReduceSpec>{"reference", kNoFeatures, &reference::PrepareArgReduce},
  };
  return kTable;
}

}  // namespace fourfold::kernels
