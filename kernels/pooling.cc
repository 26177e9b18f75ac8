#include "kernels/pooling.h"

#include <array>

#if FOURFOLD_WITH_ONEDNN
#include "kernels/onednn/onednn.h"
#endif
#include "kernels/reference/reference.h"

namespace fourfold::kernels {

std::span<const Kernel<PoolingSpec>> PoolingKernels() {
  static constexpr std::array kTable = {
#if FOURFOLD_WITH_ONEDNN
    Kernel<PoolingSpec>{"onednn", kAvx2, &onednn::PreparePooling},
#endif
    Kernel<PoolingSpec>{"reference", kNoFeatures, &reference::PreparePooling},
  };
  return kTable;
}

}  // namespace fourfold::kernels
