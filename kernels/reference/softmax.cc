#include <cmath>

#include "kernels/reference/loops.h"
#include "kernels/reference/reference.h"

namespace fourfold::kernels::reference {
namespace {

constexpr int64_t kLanes = 64;

// `lanes` neighbouring columns, `step` elements between the rows of the axis.
void Columns(const float* src, float* dst, int64_t axis, int64_t step, int64_t lanes,
             bool logarithm) {
  float high[kLanes];
  float sum[kLanes] = {};
  std::copy_n(src, lanes, high);
  for (int64_t i = 1; i < axis; ++i) {
    for (int64_t k = 0; k < lanes; ++k) high[k] = std::max(high[k], src[i * step + k]);
  }
  for (int64_t i = 0; i < axis; ++i) {
    for (int64_t k = 0; k < lanes; ++k) {
      const float shifted = src[i * step + k] - high[k];
      const float power = std::exp(shifted);
      sum[k] += power;
      dst[i * step + k] = logarithm ? shifted : power;
    }
  }
  for (int64_t k = 0; k < lanes; ++k) sum[k] = logarithm ? std::log(sum[k]) : 1.0f / sum[k];
  for (int64_t i = 0; i < axis; ++i) {
    for (int64_t k = 0; k < lanes; ++k) {
      float& value = dst[i * step + k];
      value = logarithm ? value - sum[k] : value * sum[k];
    }
  }
}

}  // namespace

PreparedPtr PrepareSoftmax(const SoftmaxSpec& spec, const PrepareContext&) {
  return MakeKernel("reference/plain", [spec](const RunArgs& args) {
    if (spec.axis == 0) return;
    const float* src = Input<float>(args, 0);
    float* dst = Output<float>(args);
    const int64_t blocks = (spec.inner + kLanes - 1) / kLanes;
    ForRange(*args.parallel, spec.outer * blocks, spec.axis * std::min(spec.inner, kLanes) * 16,
             [&](int64_t begin, int64_t end) {
               for (int64_t unit = begin; unit < end; ++unit) {
                 const int64_t first = unit % blocks * kLanes;
                 const int64_t at = unit / blocks * spec.axis * spec.inner + first;
                 Columns(src + at, dst + at, spec.axis, spec.inner,
                         std::min(kLanes, spec.inner - first), spec.logarithm);
               }
             });
  });
}

}  // namespace fourfold::kernels::reference
