#include "kernels/neon/finish_f32.h"

#include <cstring>

#include "kernels/neon/activation_f32.h"

namespace fourfold::kernels::neon {
namespace {

constexpr int64_t kLanes = 4;

template <typename F>
void StoreActivated(const FinishF32::Stretch& stretch, const float* bias, const F& activate) {
  const float *sums = stretch.sums, *residual = stretch.residual;
  float* dst = stretch.dst;
  const int64_t count = stretch.count;
  int64_t i = 0;
  if (residual == nullptr) {
    for (; i + kLanes <= count; i += kLanes) {
      vst1q_f32(dst + i, activate(vaddq_f32(vld1q_f32(sums + i), vld1q_f32(bias + i))));
    }
  } else {
    for (; i + kLanes <= count; i += kLanes) {
      const float32x4_t value = vaddq_f32(vld1q_f32(sums + i), vld1q_f32(bias + i));
      vst1q_f32(dst + i, activate(vaddq_f32(value, vld1q_f32(residual + i))));
    }
  }
  if (i == count) return;
  const size_t bytes = static_cast<size_t>(count - i) * sizeof(float);
  float lanes[kLanes] = {};
  float32x4_t value = vaddq_f32(vld1q_f32(sums + i), vld1q_f32(bias + i));
  if (residual != nullptr) {
    std::memcpy(lanes, residual + i, bytes);
    value = vaddq_f32(value, vld1q_f32(lanes));
  }
  vst1q_f32(lanes, activate(value));
  std::memcpy(dst + i, lanes, bytes);
}

}  // namespace

FinishF32::FinishF32(const Accumulation& sum, int64_t channels)
    : bias_(sum.bias.begin(), sum.bias.end()),
      activation_(sum.activation),
      residual_(sum.residual) {
  bias_.resize(static_cast<size_t>(channels + kLanes), 0.0f);
}

void FinishF32::Store(const Stretch& stretch) const {
  const float* bias = bias_.data() + stretch.channel;
  switch (activation_.kind) {  // those of nearly all models, with their constants in registers
    case Activation::Kind::kNone:
      return StoreActivated(stretch, bias, [](float32x4_t x) { return x; });
    case Activation::Kind::kRelu:
      return StoreActivated(stretch, bias, [](float32x4_t x) {
        return ActivateF32({.kind = Activation::Kind::kRelu}, x);
      });
    case Activation::Kind::kClip:
      return StoreActivated(
          stretch, bias,
          [low = vdupq_n_f32(activation_.alpha), high = vdupq_n_f32(activation_.beta)](
              float32x4_t x) { return MinF32(MaxF32(x, low), high); });
    default:
      return StoreActivated(stretch, bias,
                            [this](float32x4_t x) { return ActivateF32(activation_, x); });
  }
}

}  // namespace fourfold::kernels::neon
