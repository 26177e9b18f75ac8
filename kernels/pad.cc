#include "kernels/pad.h"

#include <array>

#include "kernels/reference/reference.h"

namespace fourfold::kernels {

std::span<const Kernel<PadSpec>> PadKernels() {
  static constexpr std::array kTable = {
      Kernel<PadSpec>{"reference", kNoFeatures, &reference::PreparePad},
  };
  return kTable;
}

}  // namespace fourfold::kernels
