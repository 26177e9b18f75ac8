#pragma once

#include <cmath>

#include "kernels/eltwise.h"

namespace fourfold::kernels::reference {

// Element-wise functions of other types than float32, and those whose result is a boolean.
PreparedPtr PrepareTypedEltwise(const EltwiseSpec& spec);

template <typename Real>
Real Softplus(Real x) {
  return std::max(x, Real{0}) + std::log1p(std::exp(-std::fabs(x)));
}

// The functions of eltwise.h before kTable but kActivation, computed in Real (float or double).
template <typename Real>
Real Apply(const EltwiseSpec& spec, Real x) {
  using Function = EltwiseSpec::Function;
  constexpr Real kZero{0}, kOne{1};
  const Real alpha = static_cast<Real>(spec.activation.alpha);
  const Real beta = static_cast<Real>(spec.activation.beta);
  switch (spec.function) {
    case Function::kAbs: return std::fabs(x);
    case Function::kAcos: return std::acos(x);
    case Function::kAcosh: return std::acosh(x);
    case Function::kAsin: return std::asin(x);
    case Function::kAsinh: return std::asinh(x);
    case Function::kAtan: return std::atan(x);
    case Function::kAtanh: return std::atanh(x);
    case Function::kCeil: return std::ceil(x);
    case Function::kCelu: return x > kZero ? x : alpha * std::expm1(x / alpha);
    case Function::kCos: return std::cos(x);
    case Function::kCosh: return std::cosh(x);
    case Function::kErf: return std::erf(x);
    case Function::kExp: return std::exp(x);
    case Function::kFloor: return std::floor(x);
    case Function::kGelu: {
      constexpr Real kInverseRoot2 = static_cast<Real>(0.70710678118654752440);
      return x / 2 * (kOne + std::erf(x * kInverseRoot2));
    }
    case Function::kGeluTanh: {
      constexpr Real kRoot = static_cast<Real>(0.79788456080286535588);  // of 2 / pi
      const Real cubic = x + static_cast<Real>(0.044715) * x * x * x;
      return x / 2 * (kOne + std::tanh(kRoot * cubic));
    }
    case Function::kHardSigmoid: return std::min(std::max(alpha * x + beta, kZero), kOne);
    case Function::kLog: return std::log(x);
    case Function::kMish: return x * std::tanh(Softplus(x));
    case Function::kNeg: return -x;
    case Function::kReciprocal: return kOne / x;
    case Function::kRound: return std::nearbyint(x);
    case Function::kSelu: return beta * (x > kZero ? x : alpha * std::expm1(x));
    case Function::kShrink: return x < -beta ? x + alpha : x > beta ? x - alpha : kZero;
    case Function::kSign: return x > kZero ? kOne : x < kZero ? -kOne : x;
    case Function::kSin: return std::sin(x);
    case Function::kSinh: return std::sinh(x);
    case Function::kSoftplus: return Softplus(x);
    case Function::kSoftsign: return x / (kOne + std::fabs(x));
    case Function::kSqrt: return std::sqrt(x);
    case Function::kTan: return std::tan(x);
    case Function::kThresholdedRelu: return x > alpha ? x : kZero;
    case Function::kActivation:
    case Function::kTable:
    case Function::kBitwiseNot:
    case Function::kIsInf:
    case Function::kIsNan:
    case Function::kNot: return x;
  }
  return x;
}

}  // namespace fourfold::kernels::reference
