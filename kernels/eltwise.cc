#include "kernels/eltwise.h"

#include <array>

#if FOURFOLD_WITH_NEON
#include "kernels/neon/neon.h"
#endif
#if FOURFOLD_WITH_ONEDNN
#include "kernels/onednn/onednn.h"
#endif
#include "kernels/reference/reference.h"

namespace fourfold::kernels {

std::span<const Kernel<EltwiseSpec>> EltwiseKernels() {
  static constexpr std::array kTable = {
#if FOURFOLD_WITH_ONEDNN
    Kernel<EltwiseSpec>{"onednn", kAvx2, &onednn::PrepareEltwise},
#endif
#if FOURFOLD_WITH_NEON
    Kernel<EltwiseSpec>{"neon", kNeon, &neon::PrepareEltwise},
#endif
    Kernel<EltwiseSpec>{"reference", kNoFeatures, &reference::PrepareEltwise},
  };
  return kTable;
}

}  // namespace fourfold::kernels
