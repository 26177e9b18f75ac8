#include "kernels/neon/source_f16.h"

#include <arm_neon.h>

#include <algorithm>
#include <cmath>

#include "kernels/reference/loops.h"

namespace fourfold::kernels::neon {
namespace {

constexpr int64_t kPart = 16384;  // elements that one thread looks at together

size_t RoundUp(int64_t bytes) { return (static_cast<size_t>(bytes) + 63) / 64 * 64; }

// max |x|; NaN if there is one (FMAX keeps NaN).
float MaxMagnitude(const float* src, int64_t count) {
  float32x4_t high[4];
  for (float32x4_t& lanes : high) lanes = vdupq_n_f32(0.0f);
  int64_t i = 0;
  for (; i + 16 <= count; i += 16) {
    for (int q = 0; q < 4; ++q) high[q] = vmaxq_f32(high[q], vabsq_f32(vld1q_f32(src + i + 4 * q)));
  }
  for (; i < count; ++i) high[0] = vmaxq_f32(high[0], vabsq_f32(vdupq_n_f32(src[i])));
  return vmaxvq_f32(vmaxq_f32(vmaxq_f32(high[0], high[1]), vmaxq_f32(high[2], high[3])));
}

void ToHalf(const float* src, int64_t count, float scale, uint16_t* dst) {
  const auto convert = [scale](const float* from) {
    return vcombine_f16(vcvt_f16_f32(vmulq_n_f32(vld1q_f32(from), scale)),
                        vcvt_f16_f32(vmulq_n_f32(vld1q_f32(from + 4), scale)));
  };
  int64_t i = 0;
  for (; i + 8 <= count; i += 8) vst1q_u16(dst + i, vreinterpretq_u16_f16(convert(src + i)));
  if (i == count) return;
  float rest[8] = {};
  uint16_t halves[8];
  std::copy_n(src + i, count - i, rest);
  vst1q_u16(halves, vreinterpretq_u16_f16(convert(rest)));
  std::copy_n(halves, count - i, dst + i);
}

}  // namespace

HalfSample ScaleOf(float max_magnitude, float longest_run) {
  const double bound = static_cast<double>(max_magnitude) * std::fmax(longest_run, 1.0f);
  if (!std::isfinite(bound) || !std::isfinite(longest_run)) return {};
  if (bound == 0.0) return {1.0f, 1.0f};
  int exponent = 0;
  std::frexp(bound, &exponent);  // bound < 2^exponent
  const int power = std::min(15 - exponent, 126);
  if (power < -126) return {};
  return {std::ldexp(1.0f, power), std::ldexp(1.0f, -power)};
}

size_t HalfSource::half_bytes() const {
  return RoundUp(samples_ * elements_ * static_cast<int64_t>(sizeof(uint16_t)));
}
size_t HalfSource::sample_bytes() const {
  return RoundUp(samples_ * static_cast<int64_t>(sizeof(HalfSample)));
}

size_t HalfSource::scratch_bytes() const {
  const int64_t parts = (elements_ + kPart - 1) / kPart;
  return half_bytes() + sample_bytes() +
         RoundUp(samples_ * parts * static_cast<int64_t>(sizeof(float)));
}

const HalfSample* HalfSource::samples(const void* scratch) const {
  return reinterpret_cast<const HalfSample*>(static_cast<const std::byte*>(scratch) + half_bytes());
}

void HalfSource::Make(const float* src, void* scratch, Parallel& parallel) const {
  auto* halves = static_cast<uint16_t*>(scratch);
  auto* samples = reinterpret_cast<HalfSample*>(static_cast<std::byte*>(scratch) + half_bytes());
  auto* maxima = reinterpret_cast<float*>(reinterpret_cast<std::byte*>(samples) + sample_bytes());
  const int64_t parts = (elements_ + kPart - 1) / kPart;
  const auto for_parts = [&](const auto& function) {
    reference::ForRange(parallel, samples_ * parts, std::min(elements_, kPart) / 4,
                        [&](int64_t begin, int64_t end) {
                          for (int64_t unit = begin; unit < end; ++unit) {
                            const int64_t first = unit % parts * kPart;
                            function(unit, unit / parts * elements_ + first,
                                     std::min(kPart, elements_ - first));
                          }
                        });
  };
  for_parts([&](int64_t unit, int64_t first, int64_t count) {
    maxima[unit] = MaxMagnitude(src + first, count);
  });
  for (int64_t sample = 0; sample < samples_; ++sample) {
    samples[sample] = ScaleOf(MaxMagnitude(maxima + sample * parts, parts), longest_run_);
  }
  for_parts([&](int64_t unit, int64_t first, int64_t count) {
    ToHalf(src + first, count, samples[unit / parts].scale, halves + first);
  });
}

}  // namespace fourfold::kernels::neon
