#include "kernels/reference/loops.h"
#include "kernels/reference/reference.h"

namespace fourfold::kernels::reference {
namespace {

constexpr int64_t kBlock = 16384;

template <typename T>
FOURFOLD_INLINE void QuantizeLoop(const float* src, T* dst, int64_t count, float scale,
                                  float zero) {
  for (int64_t i = 0; i < count; ++i) dst[i] = Saturate<T>(src[i] / scale, zero);
}
FOURFOLD_CLONES void QuantizeRow(const float* src, uint8_t* dst, int64_t count, float scale,
                                 float zero) {
  QuantizeLoop(src, dst, count, scale, zero);
}
FOURFOLD_CLONES void QuantizeRow(const float* src, int8_t* dst, int64_t count, float scale,
                                 float zero) {
  QuantizeLoop(src, dst, count, scale, zero);
}

template <typename T>
FOURFOLD_INLINE void DequantizeLoop(const T* src, float* dst, int64_t count, float scale,
                                    int32_t zero) {
  for (int64_t i = 0; i < count; ++i) dst[i] = static_cast<float>(src[i] - zero) * scale;
}
FOURFOLD_CLONES void DequantizeRow(const uint8_t* src, float* dst, int64_t count, float scale,
                                   int32_t zero) {
  DequantizeLoop(src, dst, count, scale, zero);
}
FOURFOLD_CLONES void DequantizeRow(const int8_t* src, float* dst, int64_t count, float scale,
                                   int32_t zero) {
  DequantizeLoop(src, dst, count, scale, zero);
}
FOURFOLD_CLONES void DequantizeRow(const int32_t* src, float* dst, int64_t count, float scale,
                                   int32_t zero) {
  DequantizeLoop(src, dst, count, scale, zero);
}

// Calls row(first, count, channel) for stretches of elements that share a channel.
template <typename Row>
void ForRows(const RunArgs& args, const QuantizeSpec& spec, const Row& row) {
  const int64_t length = spec.channels == 1 ? spec.outer * spec.inner : spec.inner;
  const int64_t rows = spec.channels == 1 ? 1 : spec.outer * spec.channels;
  if (length == 0 || rows == 0) return;
  const int64_t blocks = (length + kBlock - 1) / kBlock;
  ForRange(*args.parallel, rows * blocks, std::min(length, kBlock),
           [&](int64_t begin, int64_t end) {
             for (int64_t unit = begin; unit < end; ++unit) {
               const int64_t first = unit % blocks * kBlock;
               row(unit / blocks * length + first, std::min(kBlock, length - first),
                   static_cast<size_t>(unit / blocks % spec.channels));
             }
           });
}

// What a channel is quantized with; T is the type of computed zero points.
template <typename T>
QuantParams ParamsOf(const RunArgs& args, const QuantizeSpec& spec, size_t channel) {
  if (!spec.computed) return spec.params[channel];
  const T* zero_points = args.inputs.size() > 2 ? Input<T>(args, 2) : nullptr;
  return {Input<float>(args, 1)[channel], zero_points == nullptr ? 0 : zero_points[channel]};
}

bool HasParams(const QuantizeSpec& spec) {
  return spec.computed || static_cast<int64_t>(spec.params.size()) == spec.channels;
}

template <typename T>
PreparedPtr QuantizeTo(const QuantizeSpec& spec) {
  return MakeKernel("reference/plain", [spec](const RunArgs& args) {
    const float* src = Input<float>(args, 0);
    T* dst = Output<T>(args);
    ForRows(args, spec, [&](int64_t first, int64_t count, size_t channel) {
      const QuantParams params = ParamsOf<T>(args, spec, channel);
      QuantizeRow(src + first, dst + first, count, params.scale,
                  static_cast<float>(params.zero_point));
    });
  });
}

template <typename T>
PreparedPtr DequantizeFrom(const QuantizeSpec& spec) {
  return MakeKernel("reference/plain", [spec](const RunArgs& args) {
    const T* src = Input<T>(args, 0);
    float* dst = Output<float>(args);
    ForRows(args, spec, [&](int64_t first, int64_t count, size_t channel) {
      const QuantParams params = ParamsOf<T>(args, spec, channel);
      DequantizeRow(src + first, dst + first, count, params.scale, params.zero_point);
    });
  });
}

struct Range {
  float low = 0.0f;
  float high = 0.0f;
};

// Comparisons with NaN are false, so NaN changes nothing. Extremes do not depend on the order.
FOURFOLD_CLONES void Extremes(const float* src, int64_t count, Range* range) {
  constexpr int64_t kLanes = 32;
  float low[kLanes] = {};
  float high[kLanes] = {};
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    for (int64_t k = 0; k < kLanes; ++k) low[k] = src[i + k] < low[k] ? src[i + k] : low[k];
    for (int64_t k = 0; k < kLanes; ++k) high[k] = src[i + k] > high[k] ? src[i + k] : high[k];
  }
  for (; i < count; ++i) {
    low[0] = src[i] < low[0] ? src[i] : low[0];
    high[0] = src[i] > high[0] ? src[i] : high[0];
  }
  for (int64_t k = 1; k < kLanes; ++k) {
    low[0] = std::min(low[0], low[k]);
    high[0] = std::max(high[0], high[k]);
  }
  range->low = std::min(range->low, low[0]);
  range->high = std::max(range->high, high[0]);
}

QuantParams ParamsOf(const Range& range) {
  if (range.low == 0.0f && range.high == 0.0f) return {1.0f, 0};
  const float scale = (range.high - range.low) / 255.0f;
  return {scale, RoundAndSaturate<uint8_t>(-range.low / scale, 0)};
}

}  // namespace

PreparedPtr PrepareQuantize(const QuantizeSpec& spec, const PrepareContext&) {
  if (spec.src_type != ElementType::kFloat32) return nullptr;
  if (!HasParams(spec)) return nullptr;
  switch (spec.dst_type) {
    case ElementType::kUint8: return QuantizeTo<uint8_t>(spec);
    case ElementType::kInt8: return QuantizeTo<int8_t>(spec);
    default: return nullptr;
  }
}

PreparedPtr PrepareDequantize(const QuantizeSpec& spec, const PrepareContext&) {
  if (spec.dst_type != ElementType::kFloat32) return nullptr;
  if (!HasParams(spec)) return nullptr;
  switch (spec.src_type) {
    case ElementType::kUint8: return DequantizeFrom<uint8_t>(spec);
    case ElementType::kInt8: return DequantizeFrom<int8_t>(spec);
    case ElementType::kInt32: return DequantizeFrom<int32_t>(spec);
    default: return nullptr;
  }
}

PreparedPtr PrepareDynamicQuantize(const DynamicQuantizeSpec& spec, const PrepareContext&) {
  const int64_t blocks = (spec.elements + kBlock - 1) / kBlock;
  const size_t scratch = static_cast<size_t>(spec.samples * blocks) * sizeof(Range);
  return MakeKernel(
      "reference/plain",
      [spec, blocks](const RunArgs& args) {
        const float* src = Input<float>(args, 0);
        uint8_t* dst = Output<uint8_t>(args, 0);
        QuantParams* params = Output<QuantParams>(args, 1);
        Range* ranges = static_cast<Range*>(args.scratch);
        const auto for_blocks = [&](const auto& function) {
          ForRange(*args.parallel, spec.samples * blocks, std::min(spec.elements, kBlock),
                   [&](int64_t begin, int64_t end) {
                     for (int64_t unit = begin; unit < end; ++unit) {
                       const int64_t first = unit % blocks * kBlock;
                       function(unit, unit / blocks, unit / blocks * spec.elements + first,
                                std::min(kBlock, spec.elements - first));
                     }
                   });
        };
        for_blocks([&](int64_t unit, int64_t, int64_t first, int64_t count) {
          ranges[unit] = Range{};
          Extremes(src + first, count, &ranges[unit]);
        });
        for (int64_t sample = 0; sample < spec.samples; ++sample) {
          Range range;
          for (int64_t i = sample * blocks; i < (sample + 1) * blocks; ++i) {
            range.low = std::min(range.low, ranges[i].low);
            range.high = std::max(range.high, ranges[i].high);
          }
          params[sample] = ParamsOf(range);
        }
        for_blocks([&](int64_t, int64_t sample, int64_t first, int64_t count) {
          QuantizeRow(src + first, dst + first, count, params[sample].scale,
                      static_cast<float>(params[sample].zero_point));
        });
      },
      scratch);
}

}  // namespace fourfold::kernels::reference
