#include "kernels/arrange.h"

#include <array>

#include "kernels/reference/movement.h"

namespace fourfold::kernels {

std::span<const Kernel<TriangleSpec>> TriangleKernels() {
  static constexpr std::array kTable = {
      Kernel<TriangleSpec>{"reference", kNoFeatures, &reference::PrepareTriangle},
  };
  return kTable;
}

std::span<const Kernel<ReverseSequenceSpec>> ReverseSequenceKernels() {
  static constexpr std::array kTable = {
      Kernel<ReverseSequenceSpec>{"reference", kNoFeatures, &reference::PrepareReverseSequence},
  };
  return kTable;
}

std::span<const Kernel<OneHotSpec>> OneHotKernels() {
  static constexpr std::array kTable = {
      Kernel<OneHotSpec>{"reference", kNoFeatures, &reference::PrepareOneHot},
  };
  return kTable;
}

std::span<const Kernel<BlocksToImageSpec>> BlocksToImageKernels() {
  static constexpr std::array kTable = {
      Kernel<BlocksToImageSpec>{"reference", kNoFeatures, &reference::PrepareBlocksToImage},
  };
  return kTable;
}

}  // namespace fourfold::kernels
