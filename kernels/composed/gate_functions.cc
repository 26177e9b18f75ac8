#include "kernels/composed/gate_functions.h"

#include <bit>
#include <cmath>

#include "kernels/reference/loops.h"

namespace fourfold::kernels::composed {
namespace {

using reference::RoundSmall;

// exp(x) for |x| <= 87: x = n ln 2 + r with |r| <= ln 2 / 2, exp(r) by its series (the next term is
// below 6e-9), times 2^n through the exponent's bits.
FOURFOLD_INLINE float Exp(float x) {
  const float n = RoundSmall(x * 1.44269504f);
  const float r = (x - n * 0.693145752f) - n * 1.42860677e-6f;  // ln 2 in two parts
  float p = 1.0f / 5040.0f;
  p = p * r + 1.0f / 720.0f;
  p = p * r + 1.0f / 120.0f;
  p = p * r + 1.0f / 24.0f;
  p = p * r + 1.0f / 6.0f;
  p = p * r + 0.5f;
  p = p * r + 1.0f;
  p = p * r + 1.0f;
  return p * std::bit_cast<float>((static_cast<int32_t>(n) + 127) << 23);
}

FOURFOLD_INLINE float Clamp(float x, float bound) {  // NaN stays
  x = x < -bound ? -bound : x;
  return x > bound ? bound : x;
}

FOURFOLD_INLINE float Sigmoid(float x) {
  const float bounded = Clamp(x, 87.0f);
  const float value = 1.0f / (1.0f + Exp(bounded != bounded ? 0.0f : -bounded));
  return x != x ? x : value;
}

// Near 0 the continued fraction x / (1 + x^2 / (3 + x^2 / (5 + x^2 / (7 + x^2 / 9)))), which is
// within 2e-9 below 3/4; elsewhere 1 - 2 / (exp(2 |x|) + 1).
FOURFOLD_INLINE float Tanh(float x) {
  const float y = x * x;
  const float near = x * (945.0f + y * (105.0f + y)) / (945.0f + y * (420.0f + y * 15.0f));
  const float magnitude = x < 0.0f ? -x : x;
  const float bounded = magnitude < 20.0f ? magnitude : 20.0f;
  const float far = 1.0f - 2.0f / (Exp(2.0f * bounded) + 1.0f);
  const float wide = x < 0.0f ? -far : far;
  return x != x ? x : magnitude < 0.75f ? near : wide;
}

FOURFOLD_CLONES void SigmoidAll(float* x, int64_t count) {
  for (int64_t i = 0; i < count; ++i) x[i] = Sigmoid(x[i]);
}

FOURFOLD_CLONES void TanhAll(float* x, int64_t count) {
  for (int64_t i = 0; i < count; ++i) x[i] = Tanh(x[i]);
}

float Other(const RecurrentSpec::GateFunction& function, float x) {
  using Function = RecurrentSpec::Function;
  const float alpha = function.alpha, beta = function.beta;
  switch (function.function) {
    case Function::kSigmoid: return Sigmoid(x);
    case Function::kTanh: return Tanh(x);
    case Function::kRelu: return x < 0.0f ? 0.0f : x;
    case Function::kAffine: return alpha * x + beta;
    case Function::kLeakyRelu: return x < 0.0f ? alpha * x : x;
    case Function::kThresholdedRelu: return x > alpha ? x : 0.0f;
    case Function::kScaledTanh: return alpha * Tanh(beta * x);
    case Function::kHardSigmoid: return std::min(std::max(alpha * x + beta, 0.0f), 1.0f);
    case Function::kElu: return x < 0.0f ? alpha * std::expm1(x) : x;
    case Function::kSoftsign: return x / (1.0f + std::fabs(x));
    case Function::kSoftplus: return std::max(x, 0.0f) + std::log1p(std::exp(-std::fabs(x)));
  }
  return x;
}

}  // namespace

void ApplyGate(const RecurrentSpec::GateFunction& function, float* x, int64_t count) {
  switch (function.function) {
    case RecurrentSpec::Function::kSigmoid: return SigmoidAll(x, count);
    case RecurrentSpec::Function::kTanh: return TanhAll(x, count);
    default:
      for (int64_t i = 0; i < count; ++i) x[i] = Other(function, x[i]);
  }
}

}  // namespace fourfold::kernels::composed
