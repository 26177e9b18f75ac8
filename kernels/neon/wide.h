#pragma once

#include <arm_neon.h>

#include <cstdint>

// Sixteen 8-bit integers as int32 and back, for files compiled for plain NEON.
namespace fourfold::kernels::neon {

inline constexpr int64_t kWideLanes = 16;

struct Wide {
  int32x4_t quad[4];
};

inline Wide LoadWide(const uint8_t* src) {
  const uint8x16_t bytes = vld1q_u8(src);
  const uint16x8_t low = vmovl_u8(vget_low_u8(bytes)), high = vmovl_high_u8(bytes);
  return {{vreinterpretq_s32_u32(vmovl_u16(vget_low_u16(low))),
           vreinterpretq_s32_u32(vmovl_high_u16(low)),
           vreinterpretq_s32_u32(vmovl_u16(vget_low_u16(high))),
           vreinterpretq_s32_u32(vmovl_high_u16(high))}};
}
inline Wide LoadWide(const int8_t* src) {
  const int8x16_t bytes = vld1q_s8(src);
  const int16x8_t low = vmovl_s8(vget_low_s8(bytes)), high = vmovl_high_s8(bytes);
  return {{vmovl_s16(vget_low_s16(low)), vmovl_high_s16(low), vmovl_s16(vget_low_s16(high)),
           vmovl_high_s16(high)}};
}
inline Wide LoadWide(const int32_t* src) {
  return {{vld1q_s32(src), vld1q_s32(src + 4), vld1q_s32(src + 8), vld1q_s32(src + 12)}};
}

// Each saturated to the range of dst.
inline void StoreSaturated(const Wide& values, uint8_t* dst) {
  const int16x8_t low = vqmovn_high_s32(vqmovn_s32(values.quad[0]), values.quad[1]);
  const int16x8_t high = vqmovn_high_s32(vqmovn_s32(values.quad[2]), values.quad[3]);
  vst1q_u8(dst, vqmovun_high_s16(vqmovun_s16(low), high));
}
inline void StoreSaturated(const Wide& values, int8_t* dst) {
  const int16x8_t low = vqmovn_high_s32(vqmovn_s32(values.quad[0]), values.quad[1]);
  const int16x8_t high = vqmovn_high_s32(vqmovn_s32(values.quad[2]), values.quad[3]);
  vst1q_s8(dst, vqmovn_high_s16(vqmovn_s16(low), high));
}

}  // namespace fourfold::kernels::neon
