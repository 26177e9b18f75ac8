#include "kernels/determinant.h"

#include <array>

#include "kernels/reference/reference.h"

namespace fourfold::kernels {

std::span<const Kernel<DeterminantSpec>> DeterminantKernels() {
  static constexpr std::array kTable = {
      Kernel<DeterminantSpec>{"reference", kNoFeatures, &reference::PrepareDeterminant},
  };
  return kTable;
}

}  // namespace fourfold::kernels
