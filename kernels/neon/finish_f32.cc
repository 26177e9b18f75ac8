#include "kernels/neon/finish_f32.h"

#include <cstring>

#include "kernels/neon/activation_f32.h"

namespace fourfold::kernels::neon {
namespace {

constexpr int64_t kLanes = 4;

}  // namespace

FinishF32::FinishF32(const Accumulation& sum, int64_t channels)
    : bias_(sum.bias.begin(), sum.bias.end()),
      activation_(sum.activation),
      residual_(sum.residual) {
  bias_.resize(static_cast<size_t>(channels + kLanes), 0.0f);
}

void FinishF32::Store(const Stretch& stretch) const {
  const float* bias = bias_.data() + stretch.channel;
  int64_t i = 0;
  for (; i + kLanes <= stretch.count; i += kLanes) {
    float32x4_t value = vaddq_f32(vld1q_f32(stretch.sums + i), vld1q_f32(bias + i));
    if (stretch.residual != nullptr) value = vaddq_f32(value, vld1q_f32(stretch.residual + i));
    vst1q_f32(stretch.dst + i, ActivateF32(activation_, value));
  }
  if (i == stretch.count) return;
  const size_t bytes = static_cast<size_t>(stretch.count - i) * sizeof(float);
  float lanes[kLanes] = {};
  float32x4_t value = vaddq_f32(vld1q_f32(stretch.sums + i), vld1q_f32(bias + i));
  if (stretch.residual != nullptr) {
    std::memcpy(lanes, stretch.residual + i, bytes);
    value = vaddq_f32(value, vld1q_f32(lanes));
  }
  vst1q_f32(lanes, ActivateF32(activation_, value));
  std::memcpy(stretch.dst + i, lanes, bytes);
}

}  // namespace fourfold::kernels::neon
