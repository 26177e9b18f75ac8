#include "kernels/convert.h"

#include <array>

#if FOURFOLD_WITH_NEON
#include "kernels/neon/neon.h"
#endif
#include "kernels/reference/reference.h"

namespace fourfold::kernels {

std::span<const Kernel<ConvertSpec>> ConvertKernels() {
  static constexpr std::array kTable = {
#if FOURFOLD_WITH_NEON
    Kernel<ConvertSpec>{"neon", kNeon, &neon::PrepareConvert},
#endif
    Kernel<ConvertSpec>{"reference", kNoFeatures, &reference::PrepareConvert},
  };
  return kTable;
}

}  // namespace fourfold::kernels
