#include "kernels/matmul.h"

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

std::span<const Kernel<MatMulSpec>> MatMulKernels() {
  static constexpr std::array kTable = {
    Kernel<MatMulSpec>{"wide", kNoFeatures, &wide::PrepareMatMul},
#if FOURFOLD_WITH_ONEDNN
    Kernel<MatMulSpec>{"onednn", kAvx2, &onednn::PrepareMatMul},
#endif
#if FOURFOLD_WITH_NEON
    Kernel<MatMulSpec>{"neon", kNeon | kNeonDot | kNeonI8mm, &neon::PrepareMatMulS8I8mm},
    Kernel<MatMulSpec>{"neon", kNeon | kNeonDot, &neon::PrepareMatMulS8Dot},
    Kernel<MatMulSpec>{"neon", kNeon, &neon::PrepareMatMulS8},
    Kernel<MatMulSpec>{"neon", kNeon | kNeonFp16, &neon::PrepareMatMulF16},
    Kernel<MatMulSpec>{"neon", kNeon, &neon::PrepareMatMulF32},
#endif
    Kernel<MatMulSpec>{"reference", kNoFeatures, &reference::PrepareMatMul},
  };
  return kTable;
}

}  // namespace fourfold::kernels
