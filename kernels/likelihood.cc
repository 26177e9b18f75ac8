#include "kernels/likelihood.h"

#include <array>

#include "kernels/reference/reference.h"

namespace fourfold::kernels {

std::span<const Kernel<LikelihoodSpec>> LikelihoodKernels() {
  static constexpr std::array kTable = {
      Kernel<LikelihoodSpec>{"reference", kNoFeatures, &reference::PrepareLikelihood},
  };
  return kTable;
}

}  // namespace fourfold::kernels
