#include "kernels/binary.h"

#include <array>

#if FOURFOLD_WITH_NEON
#include "kernels/neon/neon.h"
#endif
#if FOURFOLD_WITH_ONEDNN
#include "kernels/onednn/onednn.h"
#endif
#include "kernels/reference/reference.h"

namespace fourfold::kernels {

std::span<const Kernel<BinarySpec>> BinaryKernels() {
  static constexpr std::array kTable = {
#if FOURFOLD_WITH_ONEDNN
    Kernel<BinarySpec>{"onednn", kAvx2, &onednn::PrepareBinary},
#endif
#if FOURFOLD_WITH_NEON
    Kernel<BinarySpec>{"neon", kNeon, &neon::PrepareBinary},
#endif
    Kernel<BinarySpec>{"reference", kNoFeatures, &reference::PrepareBinary},
  };
  return kTable;
}

}  // namespace fourfold::kernels
