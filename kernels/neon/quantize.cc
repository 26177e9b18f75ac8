#include "kernels/quantize.h"

#include <algorithm>

#include "kernels/neon/neon.h"
#include "kernels/neon/wide.h"
#include "kernels/reference/loops.h"

// Quantization with the reference's bytes: one division, round half to even, the zero point added
// as an integer, saturation. Conversion and narrowing saturate by themselves, and NaN converts to
// 0.
namespace fourfold::kernels::neon {
namespace {

using reference::ForRange;
using reference::Input;
using reference::MakeKernel;
using reference::Output;

constexpr int64_t kPart = 16384;  // elements that one thread works on together

template <typename T>
void QuantizeLanes(const float* src, T* dst, float32x4_t scale, int32x4_t zero) {
  Wide stored;
  for (int q = 0; q < 4; ++q) {
    const float32x4_t real = vdivq_f32(vld1q_f32(src + 4 * q), scale);
    stored.quad[q] = vqaddq_s32(vcvtnq_s32_f32(real), zero);
  }
  StoreSaturated(stored, dst);
}

template <typename T>
void QuantizeRow(const float* src, T* dst, int64_t count, const QuantParams& params) {
  const float32x4_t scale = vdupq_n_f32(params.scale);
  const int32x4_t zero = vdupq_n_s32(params.zero_point);
  int64_t i = 0;
  for (; i + kWideLanes <= count; i += kWideLanes) QuantizeLanes(src + i, dst + i, scale, zero);
  if (i == count) return;
  float rest[kWideLanes] = {};
  T stored[kWideLanes];
  std::copy_n(src + i, count - i, rest);
  QuantizeLanes(rest, stored, scale, zero);
  std::copy_n(stored, count - i, dst + i);
}

// The difference is taken modulo 2^32.
template <typename T>
void DequantizeLanes(const T* src, float* dst, float32x4_t scale, int32x4_t zero) {
  const Wide wide = LoadWide(src);
  for (int q = 0; q < 4; ++q) {
    vst1q_f32(dst + 4 * q, vmulq_f32(vcvtq_f32_s32(vsubq_s32(wide.quad[q], zero)), scale));
  }
}

template <typename T>
void DequantizeRow(const T* src, float* dst, int64_t count, const QuantParams& params) {
  const float32x4_t scale = vdupq_n_f32(params.scale);
  const int32x4_t zero = vdupq_n_s32(params.zero_point);
  int64_t i = 0;
  for (; i + kWideLanes <= count; i += kWideLanes) DequantizeLanes(src + i, dst + i, scale, zero);
  if (i == count) return;
  T rest[kWideLanes] = {};
  float real[kWideLanes];
  std::copy_n(src + i, count - i, rest);
  DequantizeLanes(rest, real, scale, zero);
  std::copy_n(real, count - i, dst + i);
}

// Calls row(first element, count, params) for stretches of elements that share a channel.
template <typename Row>
void ForRows(const RunArgs& args, const QuantizeSpec& spec, const Row& row) {
  const bool one = spec.channels == 1;
  const int64_t length = one ? spec.outer * spec.inner : spec.inner;
  const int64_t rows = one ? 1 : spec.outer * spec.channels;
  if (length == 0 || rows == 0) return;
  const int64_t parts = (length + kPart - 1) / kPart;
  ForRange(*args.parallel, rows * parts, std::min(length, kPart), [&](int64_t begin, int64_t end) {
    for (int64_t unit = begin; unit < end; ++unit) {
      const int64_t first = unit % parts * kPart;
      row(unit / parts * length + first, std::min(kPart, length - first),
          spec.params[static_cast<size_t>(unit / parts % spec.channels)]);
    }
  });
}

template <typename T>
PreparedPtr QuantizeTo(const QuantizeSpec& spec) {
  return MakeKernel("neon/quantize", [spec](const RunArgs& args) {
    const float* src = Input<float>(args, 0);
    T* dst = Output<T>(args);
    ForRows(args, spec, [&](int64_t first, int64_t count, const QuantParams& params) {
      QuantizeRow(src + first, dst + first, count, params);
    });
  });
}

template <typename T>
PreparedPtr DequantizeFrom(const QuantizeSpec& spec) {
  return MakeKernel("neon/dequantize", [spec](const RunArgs& args) {
    const T* src = Input<T>(args, 0);
    float* dst = Output<float>(args);
    ForRows(args, spec, [&](int64_t first, int64_t count, const QuantParams& params) {
      DequantizeRow(src + first, dst + first, count, params);
    });
  });
}

// Dynamic quantization, in two passes over the source.

struct Range {
  float low = 0.0f;
  float high = 0.0f;
};

// Widens the range; NaN changes nothing. (Comparisons, because FMINNM makes NaN of a signalling
// one.)
Range Widened(Range range, const float* src, int64_t count) {
  float32x4_t low[4], high[4];
  for (int q = 0; q < 4; ++q) {
    low[q] = vdupq_n_f32(range.low);
    high[q] = vdupq_n_f32(range.high);
  }
  const auto widen = [&](float32x4_t x, int q) {
    low[q] = vbslq_f32(vcltq_f32(x, low[q]), x, low[q]);
    high[q] = vbslq_f32(vcgtq_f32(x, high[q]), x, high[q]);
  };
  int64_t i = 0;
  for (; i + kWideLanes <= count; i += kWideLanes) {
    for (int q = 0; q < 4; ++q) widen(vld1q_f32(src + i + 4 * q), q);
  }
  for (; i < count; ++i) widen(vdupq_n_f32(src[i]), 0);
  return {vminvq_f32(vminq_f32(vminq_f32(low[0], low[1]), vminq_f32(low[2], low[3]))),
          vmaxvq_f32(vmaxq_f32(vmaxq_f32(high[0], high[1]), vmaxq_f32(high[2], high[3])))};
}

QuantParams ParamsOf(const Range& range) {
  if (range.low == 0.0f && range.high == 0.0f) return {1.0f, 0};
  const float scale = (range.high - range.low) / 255.0f;
  return {scale, RoundAndSaturate<uint8_t>(-range.low / scale, 0)};
}

}  // namespace

PreparedPtr PrepareQuantize(const QuantizeSpec& spec, const PrepareContext&) {
  if (spec.src_type != ElementType::kFloat32) return nullptr;
  if (spec.computed || static_cast<int64_t>(spec.params.size()) != spec.channels) return nullptr;
  switch (spec.dst_type) {
    case ElementType::kUint8: return QuantizeTo<uint8_t>(spec);
    case ElementType::kInt8: return QuantizeTo<int8_t>(spec);
    default: return nullptr;
  }
}

PreparedPtr PrepareDequantize(const QuantizeSpec& spec, const PrepareContext&) {
  if (spec.dst_type != ElementType::kFloat32) return nullptr;
  if (spec.computed || static_cast<int64_t>(spec.params.size()) != spec.channels) return nullptr;
  switch (spec.src_type) {
    case ElementType::kUint8: return DequantizeFrom<uint8_t>(spec);
    case ElementType::kInt8: return DequantizeFrom<int8_t>(spec);
    case ElementType::kInt32: return DequantizeFrom<int32_t>(spec);
    default: return nullptr;
  }
}

PreparedPtr PrepareDynamicQuantize(const DynamicQuantizeSpec& spec, const PrepareContext&) {
  const int64_t parts = (spec.elements + kPart - 1) / kPart;
  const auto run = [spec, parts](const RunArgs& args) {
    const float* src = Input<float>(args, 0);
    uint8_t* dst = Output<uint8_t>(args, 0);
    QuantParams* params = Output<QuantParams>(args, 1);
    Range* ranges = static_cast<Range*>(args.scratch);
    const auto for_parts = [&](const auto& function) {
      ForRange(*args.parallel, spec.samples * parts, std::min(spec.elements, kPart),
               [&](int64_t begin, int64_t end) {
                 for (int64_t unit = begin; unit < end; ++unit) {
                   const int64_t first = unit % parts * kPart;
                   function(unit, unit / parts * spec.elements + first,
                            std::min(kPart, spec.elements - first));
                 }
               });
    };
    for_parts([&](int64_t unit, int64_t first, int64_t count) {
      ranges[unit] = Widened(Range{}, src + first, count);
    });
    for (int64_t sample = 0; sample < spec.samples; ++sample) {
      Range range;
      for (int64_t i = sample * parts; i < (sample + 1) * parts; ++i) {
        range.low = std::min(range.low, ranges[i].low);
        range.high = std::max(range.high, ranges[i].high);
      }
      params[sample] = ParamsOf(range);
    }
    for_parts([&](int64_t unit, int64_t first, int64_t count) {
      QuantizeRow(src + first, dst + first, count, params[unit / parts]);
    });
  };
  return MakeKernel("neon/dynamic_quantize", run,
                    static_cast<size_t>(spec.samples * parts) * sizeof(Range));
}

}  // namespace fourfold::kernels::neon
