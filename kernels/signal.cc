#include "kernels/signal.h"

#include <array>

#include "kernels/reference/reference.h"

namespace fourfold::kernels {

std::span<const Kernel<WindowSpec>> WindowKernels() {
  static constexpr std::array kTable = {
      Kernel<WindowSpec>{"reference", kNoFeatures, &reference::PrepareWindow},
  };
  return kTable;
}

std::span<const Kernel<MelWeightsSpec>> MelWeightsKernels() {
  static constexpr std::array kTable = {
      Kernel<MelWeightsSpec>{"reference", kNoFeatures, &reference::PrepareMelWeights},
  };
  return kTable;
}

std::span<const Kernel<FourierSpec>> FourierKernels() {
  static constexpr std::array kTable = {
      Kernel<FourierSpec>{"reference", kNoFeatures, &reference::PrepareFourier},
  };
  return kTable;
}

std::span<const Kernel<FramesSpec>> FramesKernels() {
  static constexpr std::array kTable = {
      Kernel<FramesSpec>{"reference", kNoFeatures, &reference::PrepareFrames},
  };
  return kTable;
}

}  // namespace fourfold::kernels
