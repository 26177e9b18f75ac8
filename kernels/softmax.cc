#include "kernels/softmax.h"

#include <array>

#if FOURFOLD_WITH_NEON
#include "kernels/neon/neon.h"
#endif
#if FOURFOLD_WITH_ONEDNN
#include "kernels/onednn/onednn.h"
#endif
#include "kernels/reference/reference.h"

namespace fourfold::kernels {

std::span<const Kernel<SoftmaxSpec>> SoftmaxKernels() {
  static constexpr std::array kTable = {
#if FOURFOLD_WITH_ONEDNN
    Kernel<SoftmaxSpec>{"onednn", kAvx2, &onednn::PrepareSoftmax},
#endif
#if FOURFOLD_WITH_NEON
    Kernel<SoftmaxSpec>{"neon", kNeon, &neon::PrepareSoftmax},
#endif
    Kernel<SoftmaxSpec>{"reference", kNoFeatures, &reference::PrepareSoftmax},
  };
  return kTable;
}

}  // namespace fourfold::kernels
