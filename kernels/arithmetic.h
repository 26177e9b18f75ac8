#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

namespace fourfold::kernels {

// The rounding rules that all engines share, so that integer results are the same bytes everywhere:
// one float32 multiplication, round half to even, add the zero point as an integer, saturate.

// Rounds half to even (the default rounding mode of IEEE 754; no engine changes it).
inline float RoundHalfToEven(float value) { return std::nearbyint(value); }

// saturate(round(value) + zero_point) in the range of T. NaN gives zero_point.
template <typename T>
T RoundAndSaturate(float value, int32_t zero_point) {
  constexpr float kLow = static_cast<float>(std::numeric_limits<T>::min());
  constexpr float kHigh = static_cast<float>(std::numeric_limits<T>::max());
  if (std::isnan(value)) value = 0.0f;
  const float zero = static_cast<float>(zero_point);
  const float rounded = std::nearbyint(std::clamp(value, kLow - zero - 1.0f, kHigh - zero + 1.0f));
  return static_cast<T>(std::clamp(rounded + zero, kLow, kHigh));
}

// What an affine 8-bit tensor means: real = scale * (stored - zero_point).
struct QuantParams {
  float scale = 1.0f;
  int32_t zero_point = 0;

  friend bool operator==(const QuantParams&, const QuantParams&) = default;
};

// A function applied to each element of a result before it is stored.
struct Activation {
  enum class Kind : uint8_t {
    kNone,
    kRelu,       // max(x, 0)
    kClip,       // min(max(x, alpha), beta)
    kLeakyRelu,  // x < 0 ? alpha * x : x
    kSigmoid,    // 1 / (1 + exp(-x))
    kTanh,
    kHardSwish,  // x * min(max(x / 6 + 1/2, 0), 1)
    kSwish,      // x * sigmoid(x)
    kElu,        // x < 0 ? alpha * (exp(x) - 1) : x
  };
  Kind kind = Kind::kNone;
  float alpha = 0.0f;
  float beta = 0.0f;

  friend bool operator==(const Activation&, const Activation&) = default;
};

// The reference of every activation.
inline float Activate(const Activation& activation, float x) {
  switch (activation.kind) {
    case Activation::Kind::kNone: return x;
    case Activation::Kind::kRelu: return x > 0.0f ? x : 0.0f;
    case Activation::Kind::kClip: return std::min(std::max(x, activation.alpha), activation.beta);
    case Activation::Kind::kLeakyRelu: return x < 0.0f ? activation.alpha * x : x;
    case Activation::Kind::kSigmoid: return 1.0f / (1.0f + std::exp(-x));
    case Activation::Kind::kTanh: return std::tanh(x);
    case Activation::Kind::kHardSwish: return x * std::min(std::max(x / 6.0f + 0.5f, 0.0f), 1.0f);
    case Activation::Kind::kSwish: return x / (1.0f + std::exp(-x));
    case Activation::Kind::kElu: return x < 0.0f ? activation.alpha * (std::exp(x) - 1.0f) : x;
  }
  return x;
}

// Conversions of IEEE binary16 and bfloat16, round half to even, overflow to infinity, subnormals
// kept.
float HalfToFloat(uint16_t half);
uint16_t FloatToHalf(float value);
float BFloat16ToFloat(uint16_t value);
uint16_t FloatToBFloat16(float value);

}  // namespace fourfold::kernels
