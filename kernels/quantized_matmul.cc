#include "kernels/quantized_matmul.h"

#include <array>

#if FOURFOLD_WITH_ONEDNN
#include "kernels/onednn/quantized_matmul.h"
#endif
#include "kernels/reference/quantized_matmul.h"

namespace fourfold::kernels {

bool IsConsistent(const QuantizedMatMulSpec& spec) {
  const auto is_8_bit = [](ElementType type) {
    return type == ElementType::kUint8 || type == ElementType::kInt8;
  };
  if (!is_8_bit(spec.lhs_type) || !is_8_bit(spec.rhs_type)) return false;
  if (spec.lhs_batch < 1 || spec.rhs_batch < 1 || spec.m < 1 || spec.n < 1 || spec.k < 1 ||
      spec.k > kMaxExactOperandSum) {
    return false;
  }
  if (spec.lhs_batch != spec.rhs_batch && spec.lhs_batch != 1 && spec.rhs_batch != 1) return false;
  if (spec.dst_type == ElementType::kFloat32) {
    return !spec.dynamic || (spec.lhs_samples > 0 && spec.lhs_batch % spec.lhs_samples == 0 &&
                             spec.rhs_samples > 0 && spec.rhs_batch % spec.rhs_samples == 0);
  }
  return is_8_bit(spec.dst_type) && !spec.dynamic &&
         (spec.activation.kind == Activation::Kind::kNone ||
          spec.activation.kind == Activation::Kind::kRelu);
}

std::span<const Kernel<QuantizedMatMulSpec>> QuantizedMatMulKernels() {
  static constexpr std::array kTable = {
#if FOURFOLD_WITH_ONEDNN
    Kernel<QuantizedMatMulSpec>{"onednn", kAvx2, &onednn::PrepareQuantizedMatMul},
#endif
    Kernel<QuantizedMatMulSpec>{"reference", kNoFeatures, &reference::PrepareQuantizedMatMul},
  };
  return kTable;
}

}  // namespace fourfold::kernels
