#include "kernels/copy.h"

#include <array>

#include "kernels/reference/reference.h"

namespace fourfold::kernels {

std::span<const Kernel<CopySpec>> CopyKernels() {
  static constexpr std::array kTable = {
      Kernel<CopySpec>{"reference", kNoFeatures, &reference::PrepareCopy},
  };
  return kTable;
}

}  // namespace fourfold::kernels
