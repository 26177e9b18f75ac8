#include "kernels/compare.h"

#include <array>

#include "kernels/reference/reference.h"

namespace fourfold::kernels {

std::span<const Kernel<CompareSpec>> CompareKernels() {
  static constexpr std::array kTable = {
      Kernel<CompareSpec>{"reference", kNoFeatures, &reference::PrepareCompare},
  };
  return kTable;
}

}  // namespace fourfold::kernels
