#include "kernels/plain_convolution.h"

#include <array>

#include "kernels/reference/reference.h"

namespace fourfold::kernels {

std::span<const Kernel<PlainConvolutionSpec>> PlainConvolutionKernels() {
  static constexpr std::array kTable = {
      Kernel<PlainConvolutionSpec>{"reference", kNoFeatures, &reference::PreparePlainConvolution},
  };
  return kTable;
}

}  // namespace fourfold::kernels
