#include "kernels/normalization.h"

#include <array>

#include "kernels/reference/reference.h"

namespace fourfold::kernels {

std::span<const Kernel<NormalizationSpec>> NormalizationKernels() {
  static constexpr std::array kTable = {
      Kernel<NormalizationSpec>{"reference", kNoFeatures, &reference::PrepareNormalization},
  };
  return kTable;
}

std::span<const Kernel<LpNormalizationSpec>> LpNormalizationKernels() {
  static constexpr std::array kTable = {
      Kernel<LpNormalizationSpec>{"reference", kNoFeatures, &reference::PrepareLpNormalization},
  };
  return kTable;
}

std::span<const Kernel<LocalResponseNormSpec>> LocalResponseNormKernels() {
  static constexpr std::array kTable = {
      Kernel<LocalResponseNormSpec>{"reference", kNoFeatures, &reference::PrepareLocalResponseNorm},
  };
  return kTable;
}

}  // namespace fourfold::kernels
