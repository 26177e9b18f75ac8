#pragma once

#include <span>

#include "kernels/arithmetic.h"
#include "kernels/kernel.h"

namespace fourfold::kernels {

// dst = activation(a op b) with numpy broadcasting; all have dst's rank (leading ones added) and, if
// dst is channels-last, that layout (an operand with at most one element in space has both).
//
//   float32 in and out;
//   integers (uint8/int8 each, kAdd and kMul only), as ONNX Runtime's QLinearAdd and QLinearMul:
//     add: ra = a.scale / dst.scale, rb = b.scale / dst.scale,
//          fixed = dst.zero_point - (ra * a.zero_point + rb * b.zero_point)
//          dst = saturate(round(fixed + ra * a + rb * b)), evaluated fixed + ra*a first, each
//          multiplication and addition rounded by itself or fused as `FusedMultiplyAdd` below says
//     mul: dst = saturate(round((a - a.zero_point) * (b - b.zero_point) * (a.scale * b.scale / dst.scale))
//          + dst.zero_point)
//     the activation is implied by dst's range: kNone only.
//
//   inputs   a, b       outputs  dst (may be the same buffer as an operand of dst's dims)
struct BinarySpec {
  enum class Operation : uint8_t { kAdd, kSub, kMul, kDiv, kMax, kMin, kPow };
  Operation operation = Operation::kAdd;
  TensorSpec a;
  TensorSpec b;
  TensorSpec dst;
  QuantParams a_params;
  QuantParams b_params;
  QuantParams dst_params;
  Activation activation;
};

std::span<const Kernel<BinarySpec>> BinaryKernels();

}  // namespace fourfold::kernels
