#include "kernels/grid_sample.h"

#include <array>

#include "kernels/reference/reference.h"

namespace fourfold::kernels {

std::span<const Kernel<GridSampleSpec>> GridSampleKernels() {
  static constexpr std::array kTable = {
      Kernel<GridSampleSpec>{"reference", kNoFeatures, &reference::PrepareGridSample},
  };
  return kTable;
}

}  // namespace fourfold::kernels
