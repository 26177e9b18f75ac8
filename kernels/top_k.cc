#include "kernels/top_k.h"

#include <array>

#include "kernels/reference/movement.h"

namespace fourfold::kernels {

std::span<const Kernel<TopKSpec>> TopKKernels() {
  static constexpr std::array kTable = {
      Kernel<TopKSpec>{"reference", kNoFeatures, &reference::PrepareTopK},
  };
  return kTable;
}

}  // namespace fourfold::kernels
