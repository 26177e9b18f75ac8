#include "kernels/unpooling.h"

#include <array>

#include "kernels/reference/reference.h"

namespace fourfold::kernels {

std::span<const Kernel<UnpoolingSpec>> UnpoolingKernels() {
  static constexpr std::array kTable = {
      Kernel<UnpoolingSpec>{"reference", kNoFeatures, &reference::PrepareUnpooling},
  };
  return kTable;
}

}  // namespace fourfold::kernels
