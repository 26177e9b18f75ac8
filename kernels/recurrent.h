#pragma once

#include <array>
#include <limits>
#include <span>

#include "kernels/accumulate.h"
#include "kernels/kernel.h"

namespace fourfold::kernels {

// One direction of a recurrent layer with ONNX's formulas (RNN, LSTM, GRU), time first. T steps, N
// samples, I inputs, H hidden units, G gates (LSTM 4: i o f c; GRU 3: z r h; RNN 1).
//
//   inputs   x [T, N, I]; weights [G H, I]; recurrence [G H, H]; bias [2 G H] (of x's product, then
//            of h's); lengths int32 [N]; initial h [N, H]; initial c [N, H]; peepholes [3 H] (i o
//            f)
//   outputs  h of all steps [T, N, H]; last h [N, H]; last c [N, H] (LSTM)
// Null pointers stand for absent ones: all but x, and weights and recurrence unless they are
// constants of the spec. All float32 but lengths and a quantized x. The last h may not be the
// buffer of the initial one.
//
// Sample n takes its first lengths[n] steps (all T where absent), backwards with `reverse`; later
// elements of the first output are 0. A length outside [0, T] is a fault. `clip` bounds what goes
// into the gates' functions, not the cell state that goes into h's.
//
// A gate adds (x's product + both biases) + h's product, in this order, in float32. Products:
//   kFloat        float32; weights float32 or float16
//   kStaticInt8   x uint8 or int8 as x_params say, h as below with the fixed scale 1/127: what
//                 leaves [-1, 1] (an initial state) counts as -1 or 1 in the product
//   kDynamicInt8  each row of x (one sample in one step) as DynamicQuantize makes it, h as below
//                 with the scale max |h| / 127 of its row (1 where all are 0)
//   h is stored as round(h * (1 / scale)) + 128 in uint8. Sums are exact; a product is
//   float(sum) * (scale of x or h * scale of the weights' row).
struct RecurrentSpec {
  enum class Kind : uint8_t { kRnn, kLstm, kGru };
  enum class Function : uint8_t {
    kSigmoid,
    kTanh,
    kRelu,
    kAffine,  // alpha x + beta
    kLeakyRelu,
    kThresholdedRelu,  // x > alpha ? x : 0
    kScaledTanh,       // alpha tanh(beta x)
    kHardSigmoid,      // min(max(alpha x + beta, 0), 1)
    kElu,
    kSoftsign,
    kSoftplus,
  };
  struct GateFunction {
    Function function = Function::kSigmoid;
    float alpha = 0.0f;
    float beta = 0.0f;
  };

  Kind kind = Kind::kLstm;
  int64_t steps = 0;
  int64_t batch = 0;
  int64_t inputs = 0;
  int64_t hidden = 0;
  bool reverse = false;
  std::array<GateFunction, 3> functions;  // RNN: f; GRU: f, g; LSTM: f, g, h
  float clip = std::numeric_limits<float>::infinity();
  bool linear_before_reset = false;  // GRU: r scales h's product, not h
  bool input_forget = false;         // LSTM: f is 1 - i

  Arithmetic arithmetic = Arithmetic::kFloat;
  ElementType x_type = ElementType::kFloat32;
  QuantParams x_params;  // kStaticInt8

  // Constants, or null where they are inputs (kFloat only). Borrowed: outlive the prepared kernel.
  const void* weights = nullptr;
  const void* recurrence = nullptr;
  ElementType weights_type = ElementType::kFloat32;
  ElementType recurrence_type = ElementType::kFloat32;
  std::span<const float> weights_scale;     // [G H], integer arithmetic
  std::span<const float> recurrence_scale;  // [G H], integer arithmetic
  uint64_t weights_id = 0;                  // within PackedWeights; 0: not shared
  uint64_t recurrence_id = 0;
};

// Gates of a kind: rows of weights per hidden unit.
constexpr int64_t GateCount(RecurrentSpec::Kind kind) {
  return kind == RecurrentSpec::Kind::kLstm ? 4 : kind == RecurrentSpec::Kind::kGru ? 3 : 1;
}

// Whether types, sizes and constants fit together as said above.
bool IsConsistent(const RecurrentSpec& spec);

std::span<const Kernel<RecurrentSpec>> RecurrentKernels();

}  // namespace fourfold::kernels
