#include "kernels/regions.h"

#include <array>

#include "kernels/reference/reference.h"

namespace fourfold::kernels {

std::span<const Kernel<MaxRegionsSpec>> MaxRegionsKernels() {
  static constexpr std::array kTable = {
      Kernel<MaxRegionsSpec>{"reference", kNoFeatures, &reference::PrepareMaxRegions},
  };
  return kTable;
}

std::span<const Kernel<AlignRegionsSpec>> AlignRegionsKernels() {
  static constexpr std::array kTable = {
      Kernel<AlignRegionsSpec>{"reference", kNoFeatures, &reference::PrepareAlignRegions},
  };
  return kTable;
}

}  // namespace fourfold::kernels
