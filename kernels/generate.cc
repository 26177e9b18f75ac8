#include "kernels/generate.h"

#include <array>

#include "kernels/reference/reference.h"

namespace fourfold::kernels {

std::span<const Kernel<FillSpec>> FillKernels() {
  static constexpr std::array kTable = {
      Kernel<FillSpec>{"reference", kNoFeatures, &reference::PrepareFill},
  };
  return kTable;
}

std::span<const Kernel<RangeSpec>> RangeKernels() {
  static constexpr std::array kTable = {
      Kernel<RangeSpec>{"reference", kNoFeatures, &reference::PrepareRange},
  };
  return kTable;
}

std::span<const Kernel<EyeSpec>> EyeKernels() {
  static constexpr std::array kTable = {
      Kernel<EyeSpec>{"reference", kNoFeatures, &reference::PrepareEye},
  };
  return kTable;
}

}  // namespace fourfold::kernels
