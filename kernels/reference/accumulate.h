#pragma once

#include <cstring>
#include <string>

#include "kernels/accumulate.h"
#include "kernels/reference/loops.h"

namespace fourfold::kernels::reference {

// The widest stretch of output channels that is summed at once.
inline constexpr int64_t kSumLanes = 64;

// What is done with the sums of one output position, as accumulate.h describes.
struct Finish {
  Arithmetic arithmetic;
  ElementType dst_type;
  std::vector<float> bias;  // one per channel
  std::vector<float> multiplier;
  int32_t dst_zero_point;
  float dst_scale_inverse;
  Activation activation;
  bool residual;

  // Copies bias and multiplier, which the caller need not keep for us.
  Finish(const Accumulation& sum, ElementType type, int64_t channels)
      : arithmetic(sum.arithmetic),
        dst_type(type),
        bias(sum.bias.begin(), sum.bias.end()),
        multiplier(sum.multiplier.begin(), sum.multiplier.end()),
        dst_zero_point(sum.dst_zero_point),
        dst_scale_inverse(sum.dst_scale_inverse),
        activation(sum.activation),
        residual(sum.residual) {
    bias.resize(static_cast<size_t>(channels), 0.0f);
  }

  // Stores sums of channels [channel, channel + lanes) at dst[at + i * step]; residual has dst's
  // shape. `scale` is the source's (kDynamicInt8).
  template <typename Sum>
  void Store(const Sum* sum, int64_t channel, int64_t lanes, float scale, const float* added,
             void* dst, int64_t at, int64_t step) const {
    float value[kSumLanes];
    const float* b = bias.data() + channel;
    if (arithmetic == Arithmetic::kFloat) {
      for (int64_t i = 0; i < lanes; ++i) value[i] = static_cast<float>(sum[i]) + b[i];
    } else {
      const float* m = multiplier.data() + channel;
      if (arithmetic == Arithmetic::kStaticInt8) {
        for (int64_t i = 0; i < lanes; ++i) value[i] = (static_cast<float>(sum[i]) + b[i]) * m[i];
      } else {
        for (int64_t i = 0; i < lanes; ++i)
          value[i] = static_cast<float>(sum[i]) * (scale * m[i]) + b[i];
      }
    }
    if (residual) {
      for (int64_t i = 0; i < lanes; ++i) value[i] += added[at + i * step];
    }
    if (activation.kind != Activation::Kind::kNone) {
      for (int64_t i = 0; i < lanes; ++i) value[i] = Activate(activation, value[i]);
    }
    if (dst_type == ElementType::kFloat32) {
      for (int64_t i = 0; i < lanes; ++i) static_cast<float*>(dst)[at + i * step] = value[i];
      return;
    }
    if (dst_scale_inverse != 1.0f) {
      for (int64_t i = 0; i < lanes; ++i) value[i] *= dst_scale_inverse;
    }
    const auto zero = static_cast<float>(dst_zero_point);
    if (dst_type == ElementType::kUint8) {
      for (int64_t i = 0; i < lanes; ++i) {
        static_cast<uint8_t*>(dst)[at + i * step] = Saturate<uint8_t>(value[i], zero);
      }
    } else {
      for (int64_t i = 0; i < lanes; ++i) {
        static_cast<int8_t*>(dst)[at + i * step] = Saturate<int8_t>(value[i], zero);
      }
    }
  }
};

// Whether types and lengths are what accumulate.h allows; `length` is the number of products in a
// sum.
inline bool IsServed(const Accumulation& sum, ElementType src, ElementType dst, int64_t channels,
                     int64_t length) {
  if (!sum.bias.empty() && static_cast<int64_t>(sum.bias.size()) != channels) return false;
  if (sum.arithmetic == Arithmetic::kFloat) {
    return src == ElementType::kFloat32 && dst == ElementType::kFloat32 &&
           (sum.weights_type == ElementType::kFloat32 || sum.weights_type == ElementType::kFloat16);
  }
  if (!IsInteger8(src) || static_cast<int64_t>(sum.multiplier.size()) != channels) return false;
  if (sum.weights_zero_point.empty()) {
    if (sum.weights_type != ElementType::kInt8 || length > kMaxExactSum) return false;
  } else if (!IsInteger8(sum.weights_type) || length > kMaxExactWideSum ||
             static_cast<int64_t>(sum.weights_zero_point.size()) != channels) {
    return false;
  }
  if (sum.arithmetic == Arithmetic::kDynamicInt8) return dst == ElementType::kFloat32;
  return dst == ElementType::kFloat32 || (IsInteger8(dst) && !sum.residual);
}

// The stored weight i of channel o as the number it stands for, in units of the channel's scale.
inline int16_t IntegerWeight(const Accumulation& sum, int64_t i, int64_t o) {
  const int32_t stored = sum.weights_type == ElementType::kUint8
                             ? static_cast<const uint8_t*>(sum.weights)[i]
                             : static_cast<const int8_t*>(sum.weights)[i];
  const size_t channel = static_cast<size_t>(o);
  return static_cast<int16_t>(
      sum.weights_zero_point.empty() ? stored : stored - sum.weights_zero_point[channel]);
}

// Weights in the order in which the loops read them: float32, or integers widened to int16.
// place(i) is the packed index of the stored element i; channels are innermost in that order.
// Shared through context.packed.
struct Packed {
  PackedWeights::Buffer buffer;
  size_t bytes = 0;

  template <typename W>
  const W* as() const {
    return static_cast<const W*>(buffer.get());
  }
};

template <typename Place>
Packed PackWeights(const Accumulation& sum, int64_t count, int64_t channels,
                   const std::string& format, const PrepareContext& context, const Place& place) {
  const bool integer = sum.arithmetic != Arithmetic::kFloat;
  const size_t bytes = static_cast<size_t>(count) * (integer ? sizeof(int16_t) : sizeof(float));
  const auto pack = [&]() -> PackedWeights::Buffer {
    std::shared_ptr<void> buffer = AllocateAligned(bytes);
    for (int64_t i = 0; i < count; ++i) {
      const int64_t to = place(i);
      if (integer) {
        static_cast<int16_t*>(buffer.get())[to] = IntegerWeight(sum, i, to % channels);
      } else if (sum.weights_type == ElementType::kFloat16) {
        static_cast<float*>(buffer.get())[to] =
            HalfToFloat(static_cast<const uint16_t*>(sum.weights)[i]);
      } else {
        static_cast<float*>(buffer.get())[to] = static_cast<const float*>(sum.weights)[i];
      }
    }
    return buffer;
  };
  if (context.packed == nullptr || sum.weights_id == 0) return {pack(), bytes};
  const std::string key = "reference/" + format + "/" + std::to_string(sum.weights_id);
  return {context.packed->GetOrPack(key, bytes, pack), bytes};
}

}  // namespace fourfold::kernels::reference
