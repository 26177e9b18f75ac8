#include "kernels/convolution.h"

#include <array>

#if FOURFOLD_WITH_ONEDNN
#include "kernels/onednn/onednn.h"
#endif
#include "kernels/reference/reference.h"

namespace fourfold::kernels {

std::span<const Kernel<ConvolutionSpec>> ConvolutionKernels() {
  static constexpr std::array kTable = {
#if FOURFOLD_WITH_ONEDNN
    Kernel<ConvolutionSpec>{"onednn", kAvx2, &onednn::PrepareConvolution},
#endif
    Kernel<ConvolutionSpec>{"reference", kNoFeatures, &reference::PrepareConvolution},
  };
  return kTable;
}

}  // namespace fourfold::kernels
