#include "kernels/scatter.h"

#include <array>

#include "kernels/reference/movement.h"

namespace fourfold::kernels {

std::span<const Kernel<ScatterElementsSpec>> ScatterElementsKernels() {
  static constexpr std::array kTable = {
      Kernel<ScatterElementsSpec>{"reference", kNoFeatures, &reference::PrepareScatterElements},
  };
  return kTable;
}

std::span<const Kernel<ScatterNdSpec>> ScatterNdKernels() {
  static constexpr std::array kTable = {
      Kernel<ScatterNdSpec>{"reference", kNoFeatures, &reference::PrepareScatterNd},
  };
  return kTable;
}

}  // namespace fourfold::kernels
