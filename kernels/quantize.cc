#include "kernels/quantize.h"

#include <array>

#if FOURFOLD_WITH_NEON
#include "kernels/neon/neon.h"
#endif
#include "kernels/reference/reference.h"

namespace fourfold::kernels {

std::span<const Kernel<QuantizeSpec>> QuantizeKernels() {
  static constexpr std::array kTable = {
#if FOURFOLD_WITH_NEON
    Kernel<QuantizeSpec>{"neon", kNeon, &neon::PrepareQuantize},
#endif
    Kernel<QuantizeSpec>{"reference", kNoFeatures, &reference::PrepareQuantize},
  };
  return kTable;
}

std::span<const Kernel<QuantizeSpec>> DequantizeKernels() {
  static constexpr std::array kTable = {
#if FOURFOLD_WITH_NEON
    Kernel<QuantizeSpec>{"neon", kNeon, &neon::PrepareDequantize},
#endif
    Kernel<QuantizeSpec>{"reference", kNoFeatures, &reference::PrepareDequantize},
  };
  return kTable;
}

std::span<const Kernel<DynamicQuantizeSpec>> DynamicQuantizeKernels() {
  static constexpr std::array kTable = {
#if FOURFOLD_WITH_NEON
    Kernel<DynamicQuantizeSpec>{"neon", kNeon, &neon::PrepareDynamicQuantize},
#endif
    Kernel<DynamicQuantizeSpec>{"reference", kNoFeatures, &reference::PrepareDynamicQuantize},
  };
  return kTable;
}

}  // namespace fourfold::kernels
