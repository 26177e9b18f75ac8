#include "server/graph/real_function.h"

namespace fourfold::graph {

std::optional<kernels::EltwiseSpec> RealFunction(const Eltwise& eltwise) {
  using From = Eltwise::Function;
  using To = kernels::EltwiseSpec::Function;
  To function = To::kActivation;
  switch (eltwise.function) {
    case From::kActivation: function = To::kActivation; break;
    case From::kAbs: function = To::kAbs; break;
    case From::kAcos: function = To::kAcos; break;
    case From::kAcosh: function = To::kAcosh; break;
    case From::kAsin: function = To::kAsin; break;
    case From::kAsinh: function = To::kAsinh; break;
    case From::kAtan: function = To::kAtan; break;
    case From::kAtanh: function = To::kAtanh; break;
    case From::kCeil: function = To::kCeil; break;
    case From::kCelu: function = To::kCelu; break;
    case From::kCos: function = To::kCos; break;
    case From::kCosh: function = To::kCosh; break;
    case From::kErf: function = To::kErf; break;
    case From::kExp: function = To::kExp; break;
    case From::kFloor: function = To::kFloor; break;
    case From::kGelu: function = To::kGelu; break;
    case From::kGeluTanh: function = To::kGeluTanh; break;
    case From::kHardSigmoid: function = To::kHardSigmoid; break;
    case From::kLog: function = To::kLog; break;
    case From::kMish: function = To::kMish; break;
    case From::kNeg: function = To::kNeg; break;
    case From::kReciprocal: function = To::kReciprocal; break;
    case From::kRound: function = To::kRound; break;
    case From::kSelu: function = To::kSelu; break;
    case From::kShrink: function = To::kShrink; break;
    case From::kSign: function = To::kSign; break;
    case From::kSin: function = To::kSin; break;
    case From::kSinh: function = To::kSinh; break;
    case From::kSoftplus: function = To::kSoftplus; break;
    case From::kSoftsign: function = To::kSoftsign; break;
    case From::kSqrt: function = To::kSqrt; break;
    case From::kTan: function = To::kTan; break;
    case From::kThresholdedRelu: function = To::kThresholdedRelu; break;
    case From::kBitwiseNot:
    case From::kIsInf:
    case From::kIsNan:
    case From::kNot: return std::nullopt;
  }
  kernels::EltwiseSpec spec;
  spec.function = function;
  spec.activation = eltwise.activation;
  return spec;
}

kernels::BinarySpec::Operation PlainOperation(Binary::Operation operation) {
  using From = Binary::Operation;
  using To = kernels::BinarySpec::Operation;
  switch (operation) {
    case From::kAdd: return To::kAdd;
    case From::kSub: return To::kSub;
    case From::kMul: return To::kMul;
    case From::kDiv: return To::kDiv;
    case From::kMax: return To::kMax;
    case From::kMin: return To::kMin;
    case From::kPow: return To::kPow;
    case From::kMod: return To::kMod;
    case From::kRemainder: return To::kRemainder;
    case From::kShiftLeft: return To::kShiftLeft;
    case From::kShiftRight: return To::kShiftRight;
    case From::kBitwiseAnd: return To::kBitwiseAnd;
    case From::kBitwiseOr: return To::kBitwiseOr;
    case From::kBitwiseXor: return To::kBitwiseXor;
  }
  return To::kAdd;
}

}  // namespace fourfold::graph
