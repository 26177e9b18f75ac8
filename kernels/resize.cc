#include "kernels/resize.h"

#include <array>

#include "kernels/reference/reference.h"

namespace fourfold::kernels {

std::span<const Kernel<ResizeSpec>> ResizeKernels() {
  static constexpr std::array kTable = {
      Kernel<ResizeSpec>{"reference", kNoFeatures, &reference::PrepareResize},
  };
  return kTable;
}

}  // namespace fourfold::kernels
