#include "kernels/neon/finish_s8.h"

#include <arm_neon.h>

#include <algorithm>
#include <cstring>

namespace fourfold::kernels::neon {
namespace {

constexpr int64_t kLanes = 16;  // stored at once
constexpr size_t kQuads = 4;

struct Values {
  float32x4_t quad[kQuads];
};

// Comparisons instead of FMAX and FMIN: those differ from the reference in NaN and in -0.
float32x4_t Activated(const Activation& activation, float32x4_t x) {
  const float32x4_t zero = vdupq_n_f32(0.0f);
  switch (activation.kind) {
    case Activation::Kind::kRelu:
      return vreinterpretq_f32_u32(vandq_u32(vreinterpretq_u32_f32(x), vcgtq_f32(x, zero)));
    case Activation::Kind::kClip: {
      const float32x4_t low = vdupq_n_f32(activation.alpha);
      const float32x4_t high = vdupq_n_f32(activation.beta);
      const float32x4_t raised = vbslq_f32(vcltq_f32(x, low), low, x);
      return vbslq_f32(vcltq_f32(high, raised), high, raised);
    }
    case Activation::Kind::kLeakyRelu:
      return vbslq_f32(vcltq_f32(x, zero), vmulq_n_f32(x, activation.alpha), x);
    default: {
      float lanes[4];
      vst1q_f32(lanes, x);
      for (float& lane : lanes) lane = Activate(activation, lane);
      return vld1q_f32(lanes);
    }
  }
}

// round half to even, add the zero point, saturate to 16 bits: only what leaves 8 bits anyway is
// cut off on the way. NaN becomes the zero point.
int16x8_t Rounded(float32x4_t low, float32x4_t high, int16x8_t zero_point) {
  const int16x8_t rounded = vqmovn_high_s32(vqmovn_s32(vcvtnq_s32_f32(low)), vcvtnq_s32_f32(high));
  return vqaddq_s16(rounded, zero_point);
}

void StoreLanes(uint8x16_t bytes, int64_t lanes, void* dst) {
  if (lanes == kLanes) {
    vst1q_u8(static_cast<uint8_t*>(dst), bytes);
    return;
  }
  uint8_t all[kLanes];
  vst1q_u8(all, bytes);
  std::memcpy(dst, all, static_cast<size_t>(lanes));
}

void StoreLanes(const Values& values, int64_t lanes, float* dst) {
  if (lanes == kLanes) {
    for (size_t q = 0; q < kQuads; ++q) vst1q_f32(dst + 4 * q, values.quad[q]);
    return;
  }
  float all[kLanes];
  for (size_t q = 0; q < kQuads; ++q) vst1q_f32(all + 4 * q, values.quad[q]);
  std::memcpy(dst, all, static_cast<size_t>(lanes) * sizeof(float));
}

void AddLanes(const float* residual, int64_t lanes, Values& values) {
  float all[kLanes] = {};
  if (lanes != kLanes) {
    std::memcpy(all, residual, static_cast<size_t>(lanes) * sizeof(float));
    residual = all;
  }
  for (size_t q = 0; q < kQuads; ++q) {
    values.quad[q] = vaddq_f32(values.quad[q], vld1q_f32(residual + 4 * q));
  }
}

std::vector<float> Padded(std::span<const float> values, int64_t channels) {
  std::vector<float> padded(values.begin(), values.end());
  // Stretches begin at any channel.
  padded.resize(static_cast<size_t>(channels + kLanes), 0.0f);
  return padded;
}

}  // namespace

FinishS8::FinishS8(const Accumulation& sum, ElementType src_type, ElementType dst_type,
                   int64_t channels)
    : arithmetic_(sum.arithmetic),
      dst_type_(dst_type),
      flip_(src_type == ElementType::kUint8 ? 128 : 0),
      bias_(Padded(sum.bias, channels)),
      multiplier_(Padded(sum.multiplier, channels)),
      dst_zero_point_(sum.dst_zero_point),
      dst_scale_inverse_(sum.dst_scale_inverse),
      activation_(sum.activation) {}

void FinishS8::Store(const Stretch& stretch) const {
  const int32_t src_zero_point = stretch.src.zero_point - flip_;
  for (int64_t i = 0; i < stretch.count; i += kLanes) {
    const int64_t lanes = std::min(kLanes, stretch.count - i);
    const float* const bias = bias_.data() + stretch.channel + i;
    const float* const multiplier = multiplier_.data() + stretch.channel + i;
    Values values;
    for (size_t q = 0; q < kQuads; ++q) {
      const float32x4_t sum =
          vcvtq_f32_s32(vmlsq_n_s32(vld1q_s32(stretch.sums + i + 4 * q),
                                    vld1q_s32(stretch.weight_sums + i + 4 * q), src_zero_point));
      const float32x4_t b = vld1q_f32(bias + 4 * q), m = vld1q_f32(multiplier + 4 * q);
      values.quad[q] = arithmetic_ == Arithmetic::kStaticInt8
                           ? vmulq_f32(vaddq_f32(sum, b), m)
                           : vaddq_f32(vmulq_f32(sum, vmulq_n_f32(m, stretch.src.scale)), b);
    }
    if (stretch.residual != nullptr) AddLanes(stretch.residual + i, lanes, values);
    if (activation_.kind != Activation::Kind::kNone) {
      for (float32x4_t& quad : values.quad) quad = Activated(activation_, quad);
    }
    if (dst_type_ == ElementType::kFloat32) {
      StoreLanes(values, lanes, static_cast<float*>(stretch.dst) + i);
      continue;
    }
    if (dst_scale_inverse_ != 1.0f) {
      for (float32x4_t& quad : values.quad) quad = vmulq_n_f32(quad, dst_scale_inverse_);
    }
    const int16x8_t zero_point = vdupq_n_s16(static_cast<int16_t>(dst_zero_point_));
    const int16x8_t low = Rounded(values.quad[0], values.quad[1], zero_point);
    const int16x8_t high = Rounded(values.quad[2], values.quad[3], zero_point);
    const uint8x16_t bytes = dst_type_ == ElementType::kUint8
                                 ? vqmovun_high_s16(vqmovun_s16(low), high)
                                 : vreinterpretq_u8_s8(vqmovn_high_s16(vqmovn_s16(low), high));
    StoreLanes(bytes, lanes, static_cast<uint8_t*>(stretch.dst) + i);
  }
}

}  // namespace fourfold::kernels::neon
