#include "kernels/gather.h"

#include <array>

#include "kernels/reference/movement.h"

namespace fourfold::kernels {

std::span<const Kernel<GatherSpec>> GatherKernels() {
  static constexpr std::array kTable = {
      Kernel<GatherSpec>{"reference", kNoFeatures, &reference::PrepareGather},
  };
  return kTable;
}

std::span<const Kernel<GatherElementsSpec>> GatherElementsKernels() {
  static constexpr std::array kTable = {
      Kernel<GatherElementsSpec>{"reference", kNoFeatures, &reference::PrepareGatherElements},
  };
  return kTable;
}

std::span<const Kernel<GatherNdSpec>> GatherNdKernels() {
  static constexpr std::array kTable = {
      Kernel<GatherNdSpec>{"reference", kNoFeatures, &reference::PrepareGatherNd},
  };
  return kTable;
}

}  // namespace fourfold::kernels
