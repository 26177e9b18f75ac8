#pragma once

#include <span>

#include "kernels/arithmetic.h"
#include "kernels/kernel.h"

namespace fourfold::kernels {

// dst = activation(a op b) with numpy broadcasting; all have dst's rank (leading ones added) and,
// if dst is channels-last, that layout (an operand with at most one element in space has both).
//
//   plain numbers, a, b and dst of one type (b of kPow may have another), computed as C++ does:
//     16-bit floats in float32, float64 in double, integers in two's complement; only float32
//     with an activation or channels-last. Integer division truncates; one by zero is a fault.
//   quantized integers (a and b uint8 or int8 each, dst either; kAdd and kMul only, no activation:
//   dst's range implies it), the same bytes as ONNX Runtime's QLinearAdd and QLinearMul on a CPU
//   with AVX2:
//     add: ra = a.scale / dst.scale, rb = b.scale / dst.scale,
//          fixed = dst.zero_point - fma(ra, a.zero_point, rb * b.zero_point)
//          dst = saturate(round(fma(a, ra, fma(b, rb, fixed))))
//     mul: dst = saturate(round((a - a.zero_point) * (b - b.zero_point) * r + dst.zero_point))
//          with r = a.scale * b.scale / dst.scale; the product of the integers is exact
//   all in float32; each fma rounds once, every other operation by itself. The zero point is added
//   before rounding, so ties go to the even stored value. (Where a is one element and b is not,
//   ONNX Runtime adds a first, which can move a result next to a tie.)
//
//   inputs   a, b       outputs  dst (may be the same buffer as an operand of dst's dims)
struct BinarySpec {
  enum class Operation : uint8_t {
    kAdd,
    kSub,
    kMul,
    kDiv,
    kMax,
    kMin,
    kPow,         // integers to negative powers truncate
    kPRelu,       // a < 0 ? a * b : a
    kMod,         // the sign of b (Python's %)
    kRemainder,   // the sign of a (C's fmod)
    kShiftLeft,   // unsigned integers; by their width or more: 0
    kShiftRight,  // the same
    kBitwiseAnd,  // integers, as the following
    kBitwiseOr,
    kBitwiseXor,
  };
  Operation operation = Operation::kAdd;
  TensorSpec a;
  TensorSpec b;
  TensorSpec dst;
  QuantParams a_params;
  QuantParams b_params;
  QuantParams dst_params;
  Activation activation;
  bool plain_integers = false;  // 8-bit integers are numbers, not what the parameters make of them
};

std::span<const Kernel<BinarySpec>> BinaryKernels();

}  // namespace fourfold::kernels
