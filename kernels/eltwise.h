#pragma once

#include <array>
#include <span>

#include "kernels/arithmetic.h"
#include "kernels/kernel.h"

namespace fourfold::kernels {

// dst[i] = function(src[i]) over elements of `type`, or over 8-bit elements through a table of 256
// results. src and dst may be the same buffer where their elements have one size.
//   16-bit floats are computed with in float32, float64 in double; of integers there are kAbs, kNeg
//   (in two's complement), kSign, kBitwiseNot and the activation kRelu; up to 16 bits also kClip.
//
//   inputs   src        outputs  dst
struct EltwiseSpec {
  enum class Function : uint8_t {
    kActivation,  // `activation`
    kAbs,
    kAcos,
    kAcosh,
    kAsin,
    kAsinh,
    kAtan,
    kAtanh,
    kCeil,
    kCelu,  // max(x, 0) + min(alpha (exp(x / alpha) - 1), 0)
    kCos,
    kCosh,
    kErf,
    kExp,
    kFloor,
    kGelu,         // x/2 (1 + erf(x / sqrt 2))
    kGeluTanh,     // x/2 (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3)))
    kHardSigmoid,  // min(max(alpha x + beta, 0), 1) with the activation's alpha and beta
    kLog,
    kMish,
    kNeg,
    kReciprocal,
    kRound,   // half to even
    kSelu,    // beta (x > 0 ? x : alpha (exp(x) - 1))
    kShrink,  // x < -beta ? x + alpha : x > beta ? x - alpha : 0
    kSign,
    kSin,
    kSinh,
    kSoftplus,
    kSoftsign,
    kSqrt,
    kTan,
    kThresholdedRelu,  // x > alpha ? x : 0
    kTable,            // dst[i] = table[src[i]], 8-bit source (bits as uint8) and destination
    kBitwiseNot,       // integers
    kIsInf,            // -> bool; alpha != 0: negative ones count, beta != 0: positive ones
    kIsNan,            // -> bool
    kNot,              // bool
  };
  Function function = Function::kActivation;
  int64_t count = 0;
  Activation activation;
  std::array<uint8_t, 256> table{};
  ElementType type = ElementType::kFloat32;  // of src, and of dst where nothing else is said
};

// The reference of every function before kTable.
float Evaluate(const EltwiseSpec& spec, float x);

// The table of a function between two quantizations: entry q is
// saturate(round(function(src.scale * (q - src.zero_point)) / dst.scale) + dst.zero_point).
// Integers in and out are uint8 or int8; entries and indices are their bits.
EltwiseSpec MakeTable(const EltwiseSpec& function, ElementType src_type, QuantParams src,
                      ElementType dst_type, QuantParams dst);

std::span<const Kernel<EltwiseSpec>> EltwiseKernels();

}  // namespace fourfold::kernels
