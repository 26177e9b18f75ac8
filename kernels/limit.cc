#include "kernels/limit.h"

#if FOURFOLD_WITH_ONEDNN
#include "kernels/onednn/onednn.h"
#endif

namespace fourfold::kernels {

bool LimitCpuFeatures([[maybe_unused]] CpuFeatures features) {
#if FOURFOLD_WITH_ONEDNN
  return onednn::LimitIsa(features);
#else
  return true;
#endif
}

}  // namespace fourfold::kernels
