#include "kernels/einsum.h"

#include <array>

#include "kernels/reference/reference.h"

namespace fourfold::kernels {

std::span<const Kernel<EinsumSpec>> EinsumKernels() {
  static constexpr std::array kTable = {
      Kernel<EinsumSpec>{"reference", kNoFeatures, &reference::PrepareEinsum},
  };
  return kTable;
}

}  // namespace fourfold::kernels
