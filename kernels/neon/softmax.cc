#include "kernels/softmax.h"

#include <arm_neon.h>

#include <cmath>

#include "kernels/neon/activation_f32.h"
#include "kernels/neon/neon.h"
#include "kernels/reference/loops.h"

namespace fourfold::kernels::neon {
namespace {

constexpr int64_t kLanes = 4;

// The comparison, and with it what NaN does, of the reference's std::max.
float Highest(const float* src, int64_t count) {
  float32x4_t high = vdupq_n_f32(src[0]);
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) high = MaxF32(high, vld1q_f32(src + i));
  float highest = src[0];
  float lanes[kLanes];
  vst1q_f32(lanes, high);
  for (float lane : lanes) highest = std::max(highest, lane);
  for (; i < count; ++i) highest = std::max(highest, src[i]);
  return highest;
}

// One row; src may be dst.
void SoftmaxRow(const float* src, float* dst, int64_t count, bool logarithm) {
  const float32x4_t high = vdupq_n_f32(Highest(src, count));
  float32x4_t sums = vdupq_n_f32(0.0f);
  float sum = 0.0f;
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    const float32x4_t shifted = vsubq_f32(vld1q_f32(src + i), high);
    const float32x4_t power = ExpF32(shifted);
    sums = vaddq_f32(sums, power);
    vst1q_f32(dst + i, logarithm ? shifted : power);
  }
  for (; i < count; ++i) {
    const float shifted = src[i] - vgetq_lane_f32(high, 0);
    const float power = vgetq_lane_f32(ExpF32(vdupq_n_f32(shifted)), 0);
    sum += power;
    dst[i] = logarithm ? shifted : power;
  }
  sum += vaddvq_f32(sums);
  const float last = logarithm ? -std::log(sum) : 1.0f / sum;
  for (i = 0; i < count; ++i) dst[i] = logarithm ? dst[i] + last : dst[i] * last;
}

}  // namespace

PreparedPtr PrepareSoftmax(const SoftmaxSpec& spec, const PrepareContext&) {
  if (spec.inner != 1 || spec.axis < 1) return nullptr;
  return reference::MakeKernel("neon/softmax", [spec](const RunArgs& args) {
    const float* src = reference::Input<float>(args, 0);
    float* dst = reference::Output<float>(args);
    reference::ForRange(*args.parallel, spec.outer, spec.axis * 8, [&](int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row) {
        SoftmaxRow(src + row * spec.axis, dst + row * spec.axis, spec.axis, spec.logarithm);
      }
    });
  });
}

}  // namespace fourfold::kernels::neon
