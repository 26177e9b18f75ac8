#include "server/graph/saturation.h"

namespace fourfold::graph {

bool ImpliedBySaturation(const kernels::Activation& activation, kernels::ElementType type,
                         kernels::QuantParams params) {
  using Kind = kernels::Activation::Kind;
  const int32_t low = type == kernels::ElementType::kUint8 ? 0 : -128;
  const int32_t high = low + 255;
  if (activation.kind == Kind::kNone) return true;
  if (activation.kind == Kind::kRelu) return params.zero_point == low;
  if (activation.kind != Kind::kClip) return false;
  const auto stored = [&](float real) {
    return kernels::RoundHalfToEven(real / params.scale) + static_cast<float>(params.zero_point);
  };
  return stored(activation.alpha) <= static_cast<float>(low) &&
         stored(activation.beta) >= static_cast<float>(high);
}

}  // namespace fourfold::graph
