#include "kernels/convert.h"

#include <arm_neon.h>

#include <algorithm>

#include "kernels/neon/neon.h"
#include "kernels/reference/loops.h"

namespace fourfold::kernels::neon {
namespace {

constexpr int64_t kLanes = 8;

void ConvertLanes(const uint16_t* src, float* dst) {
  const float16x8_t halves = vreinterpretq_f16_u16(vld1q_u16(src));
  vst1q_f32(dst, vcvt_f32_f16(vget_low_f16(halves)));
  vst1q_f32(dst + 4, vcvt_high_f32_f16(halves));
}
void ConvertLanes(const float* src, uint16_t* dst) {
  const float16x8_t halves = vcvt_high_f16_f32(vcvt_f16_f32(vld1q_f32(src)), vld1q_f32(src + 4));
  vst1q_u16(dst, vreinterpretq_u16_f16(halves));
}

template <typename S, typename T>
void ConvertRow(const S* src, T* dst, int64_t count) {
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) ConvertLanes(src + i, dst + i);
  if (i == count) return;
  S rest[kLanes] = {};
  T converted[kLanes];
  std::copy_n(src + i, count - i, rest);
  ConvertLanes(rest, converted);
  std::copy_n(converted, count - i, dst + i);
}

template <typename S, typename T>
PreparedPtr Make(int64_t count) {
  return reference::MakeKernel("neon/convert", [count](const RunArgs& args) {
    const S* src = reference::Input<S>(args, 0);
    T* dst = reference::Output<T>(args);
    reference::ForRange(*args.parallel, count, 1, [&](int64_t begin, int64_t end) {
      ConvertRow(src + begin, dst + begin, end - begin);
    });
  });
}

}  // namespace

PreparedPtr PrepareConvert(const ConvertSpec& spec, const PrepareContext&) {
  constexpr ElementType kHalf = ElementType::kFloat16, kFloat = ElementType::kFloat32;
  if (spec.src_type == kHalf && spec.dst_type == kFloat) return Make<uint16_t, float>(spec.count);
  if (spec.src_type == kFloat && spec.dst_type == kHalf) return Make<float, uint16_t>(spec.count);
  return nullptr;
}

}  // namespace fourfold::kernels::neon
