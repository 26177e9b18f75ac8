#include "kernels/integer.h"

#include <array>

#include "kernels/reference/integer.h"

namespace fourfold::kernels {

std::span<const Kernel<IntegerConvolutionSpec>> IntegerConvolutionKernels() {
  static constexpr std::array kTable = {
      Kernel<IntegerConvolutionSpec>{"reference", kNoFeatures,
                                     &reference::PrepareIntegerConvolution},
  };
  return kTable;
}

std::span<const Kernel<IntegerMatMulSpec>> IntegerMatMulKernels() {
  static constexpr std::array kTable = {
      Kernel<IntegerMatMulSpec>{"reference", kNoFeatures, &reference::PrepareIntegerMatMul},
  };
  return kTable;
}

}  // namespace fourfold::kernels
