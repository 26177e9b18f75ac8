#include "kernels/recurrent.h"

#include "kernels/composed/composed.h"
#include "kernels/reference/reference.h"

namespace fourfold::kernels {

bool IsConsistent(const RecurrentSpec& spec) {
  if (spec.steps < 0 || spec.batch < 1 || spec.inputs < 1 || spec.hidden < 1) return false;
  const auto rows = static_cast<size_t>(GateCount(spec.kind) * spec.hidden);
  if (spec.arithmetic == Arithmetic::kFloat) {
    const auto is_float = [](ElementType type) {
      return type == ElementType::kFloat32 || type == ElementType::kFloat16;
    };
    return spec.x_type == ElementType::kFloat32 && is_float(spec.weights_type) &&
           is_float(spec.recurrence_type);
  }
  const bool x_fits = spec.arithmetic == Arithmetic::kDynamicInt8
                          ? spec.x_type == ElementType::kFloat32
                          : spec.x_type == ElementType::kUint8 || spec.x_type == ElementType::kInt8;
  return x_fits && spec.weights != nullptr && spec.recurrence != nullptr &&
         spec.weights_type == ElementType::kInt8 && spec.recurrence_type == ElementType::kInt8 &&
         spec.weights_scale.size() == rows && spec.recurrence_scale.size() == rows &&
         spec.inputs <= kMaxExactSum && spec.hidden <= kMaxExactSum;
}

std::span<const Kernel<RecurrentSpec>> RecurrentKernels() {
  static constexpr std::array kTable = {
      Kernel<RecurrentSpec>{"composed", kNoFeatures, &composed::PrepareRecurrent},
      Kernel<RecurrentSpec>{"reference", kNoFeatures, &reference::PrepareRecurrent},
  };
  return kTable;
}

}  // namespace fourfold::kernels
