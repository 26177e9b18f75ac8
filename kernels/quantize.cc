#include "kernels/quantize.h"

#include <array>

#include "kernels/reference/reference.h"

namespace fourfold::kernels {

std::span<const Kernel<QuantizeSpec>> QuantizeKernels() {
  static constexpr std::array kTable = {
      Kernel<QuantizeSpec>{"reference", kNoFeatures, &reference::PrepareQuantize},
  };
  return kTable;
}

std::span<const Kernel<QuantizeSpec>> DequantizeKernels() {
  static constexpr std::array kTable = {
      Kernel<QuantizeSpec>{"reference", kNoFeatures, &reference::PrepareDequantize},
  };
  return kTable;
}

std::span<const Kernel<DynamicQuantizeSpec>> DynamicQuantizeKernels() {
  static constexpr std::array kTable = {
      Kernel<DynamicQuantizeSpec>{"reference", kNoFeatures, &reference::PrepareDynamicQuantize},
  };
  return kTable;
}

}  // namespace fourfold::kernels
