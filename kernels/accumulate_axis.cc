#include "kernels/accumulate_axis.h"

#include <array>

#include "kernels/reference/reference.h"

namespace fourfold::kernels {

std::span<const Kernel<AccumulateAxisSpec>> AccumulateAxisKernels() {
  static constexpr std::array kTable = {
      Kernel<AccumulateAxisSpec>{"reference", kNoFeatures, &reference::PrepareAccumulateAxis},
  };
  return kTable;
}

}  // namespace fourfold::kernels
