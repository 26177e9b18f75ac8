#include "kernels/recurrent.h"

#include <cmath>
#include <utility>

#include "kernels/reference/loops.h"
#include "kernels/reference/reference.h"

namespace fourfold::kernels::reference {
namespace {

using Kind = RecurrentSpec::Kind;

float Apply(const RecurrentSpec::GateFunction& function, float x) {
  using Function = RecurrentSpec::Function;
  const float alpha = function.alpha, beta = function.beta;
  switch (function.function) {
    case Function::kSigmoid: return 1.0f / (1.0f + std::exp(-x));
    case Function::kTanh: return std::tanh(x);
    case Function::kRelu: return x < 0.0f ? 0.0f : x;
    case Function::kAffine: return alpha * x + beta;
    case Function::kLeakyRelu: return x < 0.0f ? alpha * x : x;
    case Function::kThresholdedRelu: return x > alpha ? x : 0.0f;
    case Function::kScaledTanh: return alpha * std::tanh(beta * x);
    case Function::kHardSigmoid: return std::min(std::max(alpha * x + beta, 0.0f), 1.0f);
    case Function::kElu: return x < 0.0f ? alpha * std::expm1(x) : x;
    case Function::kSoftsign: return x / (1.0f + std::fabs(x));
    case Function::kSoftplus: return std::max(x, 0.0f) + std::log1p(std::exp(-std::fabs(x)));
  }
  return x;
}

// A vector in the integers of integer arithmetic: less their zero point, with their scale.
struct Stored {
  int32_t* values = nullptr;
  float scale = 1.0f;
};

Stored StoreH(const float* h, int64_t count, Arithmetic arithmetic, int32_t* values) {
  float largest = 0.0f;
  for (int64_t i = 0; i < count; ++i) largest = std::max(largest, std::fabs(h[i]));
  Stored stored{values, 1.0f / 127.0f};
  float inverse = 127.0f;
  if (arithmetic == Arithmetic::kDynamicInt8) {
    stored.scale = largest > 0.0f ? largest / 127.0f : 1.0f;
    inverse = 1.0f / stored.scale;
  }
  for (int64_t i = 0; i < count; ++i)
    values[i] = RoundAndSaturate<uint8_t>(h[i] * inverse, 128) - 128;
  return stored;
}

// As DynamicQuantize.
Stored StoreX(const float* x, int64_t count, int32_t* values) {
  float low = 0.0f, high = 0.0f;
  for (int64_t i = 0; i < count; ++i) {
    low = x[i] < low ? x[i] : low;
    high = x[i] > high ? x[i] : high;
  }
  Stored stored{values, 1.0f};
  int32_t zero = 0;
  if (low != 0.0f || high != 0.0f) {
    stored.scale = (high - low) / 255.0f;
    zero = RoundAndSaturate<uint8_t>(-low / stored.scale, 0);
  }
  for (int64_t i = 0; i < count; ++i)
    values[i] = RoundAndSaturate<uint8_t>(x[i] / stored.scale, zero) - zero;
  return stored;
}

float WeightAt(const void* weights, ElementType type, int64_t i) {
  return type == ElementType::kFloat16 ? HalfToFloat(static_cast<const uint16_t*>(weights)[i])
                                       : static_cast<const float*>(weights)[i];
}

// One sample's walk through the steps.
class Walk {
 public:
  Walk(const RecurrentSpec& spec, const RunArgs& args, int64_t sample)
      : spec_(spec),
        args_(args),
        sample_(sample),
        hidden_(spec.hidden),
        rows_(GateCount(spec.kind) * spec.hidden),
        weights_(spec.weights != nullptr ? spec.weights : args.inputs[1]),
        recurrence_(spec.recurrence != nullptr ? spec.recurrence : args.inputs[2]) {
    auto* memory = static_cast<float*>(args.scratch);
    for (float** row : {&h_, &c_, &next_, &reset_, &reset_h_}) {
      *row = memory;
      memory += hidden_;
    }
    auto* integers = reinterpret_cast<int32_t*>(memory);
    for (int32_t** row : {&stored_h_, &stored_reset_, &stored_x_}) {
      *row = integers;
      integers += hidden_;
    }
    Start(5, h_);
    Start(6, c_);
  }

  // Five rows of floats and two of integers, then a row of x in integers.
  static size_t ScratchBytes(const RecurrentSpec& spec) {
    return static_cast<size_t>(7 * spec.hidden + spec.inputs) * 4;
  }

  void Run() {
    int64_t length = spec_.steps;
    if (const auto* lengths = Input<int32_t>(args_, 4)) length = lengths[sample_];
    if (length < 0 || length > spec_.steps) {
      if (args_.fault != nullptr) {
        args_.fault->Report("a sequence length is negative or more than the steps there are");
      }
      length = std::clamp<int64_t>(length, 0, spec_.steps);
    }
    float* const all = Output<float>(args_, 0);
    for (int64_t step = 0; step < spec_.steps; ++step) {
      const int64_t time = step >= length ? step : spec_.reverse ? length - 1 - step : step;
      if (step < length) Step(time);
      if (all == nullptr) continue;
      float* out = all + (time * spec_.batch + sample_) * hidden_;
      for (int64_t i = 0; i < hidden_; ++i) out[i] = step < length ? h_[i] : 0.0f;
    }
    Copy(h_, Output<float>(args_, 1));
    if (spec_.kind == Kind::kLstm) Copy(c_, Output<float>(args_, 2));
  }

 private:
  void Start(size_t input, float* state) const {
    const float* from = Input<float>(args_, input);
    for (int64_t i = 0; i < hidden_; ++i)
      state[i] = from == nullptr ? 0.0f : from[sample_ * hidden_ + i];
  }

  void Copy(const float* row, float* to) const {
    if (to != nullptr) std::copy_n(row, hidden_, to + sample_ * hidden_);
  }

  float OfX(int64_t row, int64_t time) const {
    const int64_t first = (time * spec_.batch + sample_) * spec_.inputs;
    if (spec_.arithmetic == Arithmetic::kFloat) {
      const float* x = Input<float>(args_, 0) + first;
      float sum = 0.0f;
      for (int64_t j = 0; j < spec_.inputs; ++j)
        sum += x[j] * WeightAt(weights_, spec_.weights_type, row * spec_.inputs + j);
      return sum;
    }
    const auto* weights = static_cast<const int8_t*>(weights_) + row * spec_.inputs;
    int32_t sum = 0;
    if (spec_.arithmetic == Arithmetic::kDynamicInt8) {
      for (int64_t j = 0; j < spec_.inputs; ++j) sum += x_.values[j] * weights[j];
      return static_cast<float>(sum) * (x_.scale * spec_.weights_scale[row]);
    }
    for (int64_t j = 0; j < spec_.inputs; ++j) {
      const int32_t x = spec_.x_type == ElementType::kInt8 ? Input<int8_t>(args_, 0)[first + j]
                                                           : Input<uint8_t>(args_, 0)[first + j];
      sum += (x - spec_.x_params.zero_point) * weights[j];
    }
    return static_cast<float>(sum) * (spec_.x_params.scale * spec_.weights_scale[row]);
  }

  float OfH(int64_t row, const float* h, const Stored& stored) const {
    if (spec_.arithmetic == Arithmetic::kFloat) {
      float sum = 0.0f;
      for (int64_t j = 0; j < hidden_; ++j)
        sum += h[j] * WeightAt(recurrence_, spec_.recurrence_type, row * hidden_ + j);
      return sum;
    }
    const auto* weights = static_cast<const int8_t*>(recurrence_) + row * hidden_;
    int32_t sum = 0;
    for (int64_t j = 0; j < hidden_; ++j) sum += stored.values[j] * weights[j];
    return static_cast<float>(sum) * (stored.scale * spec_.recurrence_scale[row]);
  }

  // What biases and peepholes are there, 0 for others.
  float Bias(int64_t i) const { return args_.inputs[3] ? Input<float>(args_, 3)[i] : 0.0f; }
  float Peephole(int64_t i) const { return args_.inputs[7] ? Input<float>(args_, 7)[i] : 0.0f; }

  float Gate(size_t function, float x) const {
    if (std::isfinite(spec_.clip)) x = std::min(std::max(x, -spec_.clip), spec_.clip);
    return Apply(spec_.functions[function], x);
  }

  void Step(int64_t time) {
    if (spec_.arithmetic == Arithmetic::kDynamicInt8) {
      x_ = StoreX(Input<float>(args_, 0) + (time * spec_.batch + sample_) * spec_.inputs,
                  spec_.inputs, stored_x_);
    }
    const Stored stored = StoreH(h_, hidden_, spec_.arithmetic, stored_h_);
    const auto sum = [&](int64_t row) {
      return (OfX(row, time) + (Bias(row) + Bias(rows_ + row))) + OfH(row, h_, stored);
    };
    switch (spec_.kind) {
      case Kind::kRnn:
        for (int64_t i = 0; i < hidden_; ++i) next_[i] = Gate(0, sum(i));
        break;
      case Kind::kLstm:
        for (int64_t i = 0; i < hidden_; ++i) {
          const float c = c_[i];
          const float input = Gate(0, sum(i) + Peephole(i) * c);
          const float forget = spec_.input_forget
                                   ? 1.0f - input
                                   : Gate(0, sum(2 * hidden_ + i) + Peephole(2 * hidden_ + i) * c);
          c_[i] = forget * c + input * Gate(1, sum(3 * hidden_ + i));
          const float output = Gate(0, sum(hidden_ + i) + Peephole(hidden_ + i) * c_[i]);
          next_[i] = output * Apply(spec_.functions[2], c_[i]);
        }
        break;
      case Kind::kGru: GruStep(time, stored, sum); break;
    }
    std::swap(h_, next_);
  }

  template <typename Sum>
  void GruStep(int64_t time, const Stored& stored, const Sum& sum) {
    for (int64_t i = 0; i < hidden_; ++i) {
      reset_[i] = Gate(0, sum(hidden_ + i));
      reset_h_[i] = reset_[i] * h_[i];
    }
    const Stored stored_reset = StoreH(reset_h_, hidden_, spec_.arithmetic, stored_reset_);
    for (int64_t i = 0; i < hidden_; ++i) {
      const int64_t row = 2 * hidden_ + i;
      float x = 0.0f;
      if (spec_.linear_before_reset) {
        x = (OfX(row, time) + Bias(row)) + (OfH(row, h_, stored) + Bias(rows_ + row)) * reset_[i];
      } else {
        x = (OfX(row, time) + (Bias(row) + Bias(rows_ + row))) + OfH(row, reset_h_, stored_reset);
      }
      const float update = Gate(0, sum(i));
      next_[i] = (1.0f - update) * Gate(1, x) + update * h_[i];
    }
  }

  const RecurrentSpec& spec_;
  const RunArgs& args_;
  const int64_t sample_;
  const int64_t hidden_;
  const int64_t rows_;
  const void* const weights_;
  const void* const recurrence_;
  float *h_ = nullptr, *c_ = nullptr, *next_ = nullptr;  // in the scratch memory, like the others
  float *reset_ = nullptr, *reset_h_ = nullptr;
  int32_t *stored_h_ = nullptr, *stored_reset_ = nullptr, *stored_x_ = nullptr;
  Stored x_;  // of the present step, dynamic arithmetic only
};

}  // namespace

PreparedPtr PrepareRecurrent(const RecurrentSpec& spec, const PrepareContext&) {
  if (!IsConsistent(spec)) return nullptr;
  // The spans are borrowed like the weights.
  return MakeKernel(
      "reference/plain",
      [spec](const RunArgs& args) {
        for (int64_t sample = 0; sample < spec.batch; ++sample) Walk(spec, args, sample).Run();
      },
      Walk::ScratchBytes(spec));
}

}  // namespace fourfold::kernels::reference
