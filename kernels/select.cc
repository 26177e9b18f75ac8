#include "kernels/select.h"

#include <array>

#include "kernels/reference/reference.h"

namespace fourfold::kernels {

std::span<const Kernel<SelectSpec>> SelectKernels() {
  static constexpr std::array kTable = {
      Kernel<SelectSpec>{"reference", kNoFeatures, &reference::PrepareSelect},
  };
  return kTable;
}

}  // namespace fourfold::kernels
