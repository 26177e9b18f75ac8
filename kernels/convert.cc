#include "kernels/convert.h"

#include <array>

#include "kernels/reference/reference.h"

namespace fourfold::kernels {

std::span<const Kernel<ConvertSpec>> ConvertKernels() {
  static constexpr std::array kTable = {
      Kernel<ConvertSpec>{"reference", kNoFeatures, &reference::PrepareConvert},
  };
  return kTable;
}

}  // namespace fourfold::kernels
