#include "kernels/convolution.h"

#include <array>

#if FOURFOLD_WITH_NEON
#include "kernels/neon/neon.h"
#endif
#if FOURFOLD_WITH_ONEDNN
#include "kernels/onednn/onednn.h"
#endif
#include "kernels/reference/reference.h"
#include "kernels/wide_weights.h"

namespace fourfold::kernels {

std::span<const Kernel<ConvolutionSpec>> ConvolutionKernels() {
  static constexpr std::array kTable = {
    Kernel<ConvolutionSpec>{"wide", kNoFeatures, &wide::PrepareConvolution},
#if FOURFOLD_WITH_ONEDNN
    Kernel<ConvolutionSpec>{"onednn", kAvx2, &onednn::PrepareConvolution},
#endif
#if FOURFOLD_WITH_NEON
    Kernel<ConvolutionSpec>{"neon", kNeon, &neon::PrepareDepthwiseS8},
    Kernel<ConvolutionSpec>{"neon", kNeon | kNeonDot | kNeonI8mm, &neon::PrepareConvolutionS8I8mm},
    Kernel<ConvolutionSpec>{"neon", kNeon | kNeonDot, &neon::PrepareConvolutionS8Dot},
    Kernel<ConvolutionSpec>{"neon", kNeon, &neon::PrepareConvolutionS8},
    Kernel<ConvolutionSpec>{"neon", kNeon | kNeonFp16, &neon::PrepareConvolutionF16},
    Kernel<ConvolutionSpec>{"neon", kNeon, &neon::PrepareConvolutionF32},
#endif
    Kernel<ConvolutionSpec>{"reference", kNoFeatures, &reference::PrepareConvolution},
  };
  return kTable;
}

}  // namespace fourfold::kernels
