#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "kernels/composed/composed.h"
#include "kernels/composed/gate_functions.h"
#include "kernels/quantize.h"
#include "kernels/reference/loops.h"

namespace fourfold::kernels::composed {
namespace {

using reference::ForRange;
using reference::Input;
using reference::Output;

using Kind = RecurrentSpec::Kind;

// Positions of inputs and outputs.
enum : size_t { kX, kWeights, kRecurrence, kBias, kLengths, kInitialH, kInitialC, kPeepholes };
enum : size_t { kAll, kLastH, kLastC };

constexpr int32_t kZeroOfH = 128;
constexpr float kLargestOfH = 127.0f;

// ---- Loops over one row, for whatever registers there are.

// gates = (x + bias) + gates
FOURFOLD_CLONES void AddGates(const float* x, const float* bias, int64_t count, float* gates) {
  for (int64_t i = 0; i < count; ++i) gates[i] = (x[i] + bias[i]) + gates[i];
}

// sum += a
FOURFOLD_CLONES void AddTo(const float* a, int64_t count, float* sum) {
  for (int64_t i = 0; i < count; ++i) sum[i] += a[i];
}

// x *= a
FOURFOLD_CLONES void MultiplyBy(const float* a, int64_t count, float* x) {
  for (int64_t i = 0; i < count; ++i) x[i] *= a[i];
}

// sum += a * b
FOURFOLD_CLONES void AddProduct(const float* a, const float* b, int64_t count, float* sum) {
  for (int64_t i = 0; i < count; ++i) sum[i] += a[i] * b[i];
}

FOURFOLD_CLONES void ClipRow(float bound, int64_t count, float* x) {
  for (int64_t i = 0; i < count; ++i) {
    const float above = x[i] < -bound ? -bound : x[i];
    x[i] = above > bound ? bound : above;
  }
}

// c = forget * c + input * candidate
FOURFOLD_CLONES void UpdateCell(const float* input, const float* forget, const float* candidate,
                                int64_t count, float* c) {
  for (int64_t i = 0; i < count; ++i) c[i] = forget[i] * c[i] + input[i] * candidate[i];
}

FOURFOLD_CLONES void Multiply(const float* a, const float* b, int64_t count, float* product) {
  for (int64_t i = 0; i < count; ++i) product[i] = a[i] * b[i];
}

// h = (1 - z) * candidate + z * h
FOURFOLD_CLONES void Blend(const float* z, const float* candidate, int64_t count, float* h) {
  for (int64_t i = 0; i < count; ++i) h[i] = (1.0f - z[i]) * candidate[i] + z[i] * h[i];
}

FOURFOLD_CLONES void OneMinus(const float* x, int64_t count, float* result) {
  for (int64_t i = 0; i < count; ++i) result[i] = 1.0f - x[i];
}

FOURFOLD_CLONES float LargestMagnitude(const float* x, int64_t count) {
  float largest = 0.0f;
  for (int64_t i = 0; i < count; ++i) {
    const float magnitude = x[i] < 0.0f ? -x[i] : x[i];
    largest = magnitude > largest ? magnitude : largest;
  }
  return largest;
}

FOURFOLD_CLONES void StoreH(const float* h, float inverse, int64_t count, uint8_t* stored) {
  for (int64_t i = 0; i < count; ++i) {
    stored[i] = reference::Saturate<uint8_t>(h[i] * inverse, static_cast<float>(kZeroOfH));
  }
}

// ---- Products

// dst[rows, n] = src[rows, k] * weights[n, k]^T
struct ProductRequest {
  int64_t rows, n, k;
  Arithmetic arithmetic;
  ElementType src_type;
  QuantParams src_params;  // kStaticInt8
  const void* weights;
  ElementType weights_type;
  std::span<const float> scale;  // of the weights' rows
  uint64_t id;
};

class Product {
 public:
  Product(const ProductRequest& request, const PrepareContext& context)
      : arithmetic_(request.arithmetic), multiplier_(request.scale.begin(), request.scale.end()) {
    MatMulSpec spec;
    spec.src_type = request.src_type;
    spec.m = spec.samples = request.rows;
    spec.n = request.n;
    spec.k = request.k;
    spec.transpose_rhs = true;
    spec.sum.arithmetic = request.arithmetic;
    spec.sum.weights = request.weights;
    spec.sum.weights_type = request.weights_type;
    spec.sum.weights_id = request.weights == nullptr ? 0 : request.id;
    if (arithmetic_ == Arithmetic::kStaticInt8) {
      spec.sum.src_zero_point = request.src_params.zero_point;
      for (float& m : multiplier_) m = request.src_params.scale * m;
    }
    spec.sum.multiplier = multiplier_;
    kernel_ = PrepareFewRows(spec, context);
    if (kernel_ == nullptr) kernel_ = PrepareFirst(MatMulKernels(), spec, context);
  }

  const PreparedKernel* kernel() const { return kernel_.get(); }

  // `weights` where they are no constants, `params` of each row with dynamic arithmetic.
  void Run(const RunArgs& args, const void* src, const float* weights, const QuantParams* params,
           float* dst, void* scratch) const {
    std::array<const void*, 2> inputs = {src, weights};
    size_t count = weights == nullptr ? 1 : 2;
    if (arithmetic_ == Arithmetic::kDynamicInt8) inputs[count++] = params;
    void* const outputs[] = {dst};
    kernel_->Run({{inputs.data(), count}, outputs, scratch, args.parallel});
  }

 private:
  const Arithmetic arithmetic_;
  std::vector<float> multiplier_;  // borrowed by the kernel
  PreparedPtr kernel_;
};

// A part of the weights' rows, from row `first` on.
ProductRequest Rows(ProductRequest whole, int64_t first, int64_t count) {
  if (whole.weights != nullptr) {
    whole.weights = static_cast<const std::byte*>(whole.weights) +
                    first * whole.k * static_cast<int64_t>(ElementSize(whole.weights_type));
  }
  if (!whole.scale.empty()) whole.scale = whole.scale.subspan(first, count);
  whole.n = count;
  // Not the id of another part: ids are small numbers.
  if (whole.id != 0) whole.id += static_cast<uint64_t>(first + 1) << 32;
  return whole;
}

constexpr size_t RoundUp(size_t bytes) { return (bytes + 63) / 64 * 64; }

class Recurrent final : public PreparedKernel {
 public:
  // Null where some product has no kernel.
  static PreparedPtr Make(const RecurrentSpec& spec, const PrepareContext& context) {
    auto kernel = std::unique_ptr<Recurrent>(new Recurrent(spec, context));
    for (const auto& product : kernel->products_) {
      if (product->kernel() == nullptr) return nullptr;
    }
    if (kernel->dynamic() && kernel->quantize_ == nullptr) return nullptr;
    kernel->LayOut();
    return kernel;
  }

  std::string_view implementation() const override { return name_; }
  size_t scratch_bytes() const override { return scratch_bytes_; }
  size_t packed_bytes() const override {
    size_t bytes = 0;
    for (const auto& product : products_) bytes += product->kernel()->packed_bytes();
    return bytes;
  }

  void Run(const RunArgs& args) const override {
    ProductOfX(args);
    SumBiases(args);
    const size_t state = static_cast<size_t>(spec_.batch * spec_.hidden) * sizeof(float);
    const auto start = [&](size_t input, size_t offset) {
      if (const float* initial = Input<float>(args, input)) {
        std::memcpy(Floats(args, offset), initial, state);
      } else {
        std::memset(Floats(args, offset), 0, state);
      }
    };
    start(kInitialH, h_);
    start(kInitialC, c_);
    for (int64_t step = 0; step < spec_.steps; ++step) {
      MultiplyH(args, 0, h_, gates_);
      ForRange(*args.parallel, spec_.batch, kWorkPerUnit * spec_.hidden,
               [&](int64_t begin, int64_t end) {
                 for (int64_t n = begin; n < end; ++n) RunRow(args, step, n);
               });
      if (candidate_apart()) FinishGru(args, step);
    }
    if (float* last = Output<float>(args, kLastH)) std::memcpy(last, Floats(args, h_), state);
    if (spec_.kind != Kind::kLstm) return;
    if (float* last = Output<float>(args, kLastC)) std::memcpy(last, Floats(args, c_), state);
  }

 private:
  static constexpr int64_t kWorkPerUnit = 64;  // of the gates, in simple operations

  Recurrent(const RecurrentSpec& spec, const PrepareContext& context) : spec_(spec) {
    const int64_t rows = GateCount(spec.kind) * spec.hidden;
    const bool integer = spec.arithmetic != Arithmetic::kFloat;
    const ElementType x_type = dynamic() ? ElementType::kUint8 : spec.x_type;
    const ProductRequest of_x = {std::max<int64_t>(1, spec.steps * spec.batch),
                                 rows,
                                 spec.inputs,
                                 spec.arithmetic,
                                 x_type,
                                 spec.x_params,
                                 spec.weights,
                                 spec.weights_type,
                                 spec.weights_scale,
                                 spec.weights_id};
    const ProductRequest of_h = {spec.batch,
                                 rows,
                                 spec.hidden,
                                 spec.arithmetic,
                                 integer ? ElementType::kUint8 : ElementType::kFloat32,
                                 {1.0f / kLargestOfH, kZeroOfH},
                                 spec.recurrence,
                                 spec.recurrence_type,
                                 spec.recurrence_scale,
                                 spec.recurrence_id};
    products_.push_back(std::make_unique<Product>(of_x, context));
    if (candidate_apart()) {
      products_.push_back(std::make_unique<Product>(Rows(of_h, 0, 2 * spec.hidden), context));
      products_.push_back(
          std::make_unique<Product>(Rows(of_h, 2 * spec.hidden, spec.hidden), context));
    } else {
      products_.push_back(std::make_unique<Product>(of_h, context));
    }
    if (dynamic()) {
      quantize_ = PrepareFirst(DynamicQuantizeKernels(),
                               DynamicQuantizeSpec{of_x.rows, spec.inputs}, context);
    }
  }

  bool dynamic() const { return spec_.arithmetic == Arithmetic::kDynamicInt8; }

  // A GRU whose reset gate scales h itself: its candidate needs a product of its own.
  bool candidate_apart() const { return spec_.kind == Kind::kGru && !spec_.linear_before_reset; }

  void LayOut() {
    size_t end = 0;
    const auto take = [&end](int64_t elements, size_t size) {
      const size_t offset = end;
      end += RoundUp(static_cast<size_t>(elements) * size);
      return offset;
    };
    const int64_t all = spec_.steps * spec_.batch;
    const int64_t rows = GateCount(spec_.kind) * spec_.hidden;
    const int64_t states = spec_.batch * spec_.hidden;
    x_product_ = take(all * rows, sizeof(float));
    gates_ = take(spec_.batch * rows, sizeof(float));
    biases_ = take(rows + spec_.hidden, sizeof(float));
    h_ = take(states, sizeof(float));
    c_ = take(states, sizeof(float));
    if (dynamic()) {
      x_stored_ = take(all * spec_.inputs, 1);
      x_params_ = take(all, sizeof(QuantParams));
    }
    if (spec_.arithmetic != Arithmetic::kFloat) {
      h_stored_ = take(states, 1);
      h_params_ = take(spec_.batch, sizeof(QuantParams));
    }
    inner_ = end;
    size_t most = quantize_ == nullptr ? 0 : quantize_->scratch_bytes();
    for (const auto& product : products_) most = std::max(most, product->kernel()->scratch_bytes());
    scratch_bytes_ = inner_ + most;
    name_ = "composed/" + EngineOf(*products_[0]->kernel());
    if (const std::string other = EngineOf(*products_[1]->kernel()); name_ != "composed/" + other) {
      name_ += "+" + other;
    }
  }

  // "brg_matmul:avx512_core" of "onednn/brg_matmul:avx512_core".
  static std::string EngineOf(const PreparedKernel& kernel) {
    const std::string_view name = kernel.implementation();
    return std::string(name.substr(name.find('/') + 1));
  }

  static std::byte* Bytes(const RunArgs& args, size_t offset) {
    return static_cast<std::byte*>(args.scratch) + offset;
  }
  static float* Floats(const RunArgs& args, size_t offset) {
    return reinterpret_cast<float*>(Bytes(args, offset));
  }

  // The input product of all steps at once.
  void ProductOfX(const RunArgs& args) const {
    if (spec_.steps == 0) return;
    const void* x = args.inputs[kX];
    auto* const params = reinterpret_cast<QuantParams*>(Bytes(args, x_params_));
    if (dynamic()) {
      const void* const inputs[] = {x};
      void* const outputs[] = {Bytes(args, x_stored_), params};
      quantize_->Run({inputs, outputs, Bytes(args, inner_), args.parallel});
      x = outputs[0];
    }
    const auto* weights = spec_.weights == nullptr ? Input<float>(args, kWeights) : nullptr;
    products_[0]->Run(args, x, weights, params, Floats(args, x_product_), Bytes(args, inner_));
  }

  // The sum of both biases for each gate; that of a GRU's candidate, where the reset gate scales
  // h's product and its bias, stays apart, behind the others.
  void SumBiases(const RunArgs& args) const {
    const int64_t rows = GateCount(spec_.kind) * spec_.hidden;
    float* const sums = Floats(args, biases_);
    const float* bias = Input<float>(args, kBias);
    if (bias == nullptr) {
      std::fill_n(sums, rows + spec_.hidden, 0.0f);
      return;
    }
    for (int64_t i = 0; i < rows; ++i) sums[i] = bias[i] + bias[rows + i];
    if (spec_.kind != Kind::kGru) return;
    const int64_t first = rows - spec_.hidden;
    if (spec_.linear_before_reset) {
      std::copy_n(bias + first, spec_.hidden, sums + first);
      std::copy_n(bias + rows + first, spec_.hidden, sums + rows);
    }
  }

  // dst = state * recurrence^T, of product 1 + `part`, whose weights begin at row part * 2 H.
  void MultiplyH(const RunArgs& args, size_t part, size_t state, size_t dst) const {
    const Product& product = *products_[1 + part];
    const float* h = Floats(args, state);
    const void* src = h;
    auto* const params = reinterpret_cast<QuantParams*>(Bytes(args, h_params_));
    if (spec_.arithmetic != Arithmetic::kFloat) {
      auto* const stored = reinterpret_cast<uint8_t*>(Bytes(args, h_stored_));
      for (int64_t n = 0; n < spec_.batch; ++n) {
        const float* row = h + n * spec_.hidden;
        float inverse = kLargestOfH;
        if (dynamic()) {
          const float largest = LargestMagnitude(row, spec_.hidden);
          const float scale = largest > 0.0f ? largest / kLargestOfH : 1.0f;
          params[n] = {scale, kZeroOfH};
          inverse = 1.0f / scale;
        }
        StoreH(row, inverse, spec_.hidden, stored + n * spec_.hidden);
      }
      src = stored;
    }
    const float* weights = nullptr;
    if (spec_.recurrence == nullptr) {
      weights = Input<float>(args, kRecurrence) +
                static_cast<int64_t>(part) * 2 * spec_.hidden * spec_.hidden;
    }
    product.Run(args, src, weights, params, Floats(args, dst), Bytes(args, inner_));
  }

  // How many steps the sample takes.
  int64_t Length(const RunArgs& args, int64_t n) const {
    const auto* lengths = Input<int32_t>(args, kLengths);
    if (lengths == nullptr) return spec_.steps;
    if (lengths[n] < 0 || lengths[n] > spec_.steps) {
      if (args.fault != nullptr) {
        args.fault->Report("a sequence length is negative or more than the steps there are");
      }
      return std::clamp<int64_t>(lengths[n], 0, spec_.steps);
    }
    return lengths[n];
  }

  // The sample's row of the first output in a step of the loop; null where nobody wants it.
  float* OutputRow(const RunArgs& args, int64_t time, int64_t n) const {
    float* all = Output<float>(args, kAll);
    return all == nullptr ? nullptr : all + (time * spec_.batch + n) * spec_.hidden;
  }

  void StoreRow(const RunArgs& args, int64_t time, int64_t n) const {
    if (float* out = OutputRow(args, time, n)) {
      std::memcpy(out, Floats(args, h_) + n * spec_.hidden,
                  static_cast<size_t>(spec_.hidden) * sizeof(float));
    }
  }

  void Clip(int64_t count, float* x) const {
    if (std::isfinite(spec_.clip)) ClipRow(spec_.clip, count, x);
  }

  // One sample's gates and, but for a GRU with a candidate apart, its next state.
  void RunRow(const RunArgs& args, int64_t step, int64_t n) const {
    const int64_t length = Length(args, n);
    if (step >= length) {
      if (float* out = OutputRow(args, step, n)) std::fill_n(out, spec_.hidden, 0.0f);
      return;
    }
    const int64_t time = spec_.reverse ? length - 1 - step : step;
    const int64_t hidden = spec_.hidden;
    const int64_t rows = GateCount(spec_.kind) * hidden;
    const float* x = Floats(args, x_product_) + (time * spec_.batch + n) * rows;
    float* h = Floats(args, h_) + n * hidden;
    const float* bias = Floats(args, biases_);
    switch (spec_.kind) {
      case Kind::kRnn: {
        float* gate = Floats(args, gates_) + n * hidden;
        AddGates(x, bias, hidden, gate);
        Clip(hidden, gate);
        ApplyGate(spec_.functions[0], gate, hidden);
        std::copy_n(gate, hidden, h);
        break;
      }
      case Kind::kLstm:
        RunLstm(args, x, bias, Floats(args, gates_) + n * rows, Floats(args, c_) + n * hidden, h);
        break;
      case Kind::kGru: {
        if (candidate_apart()) {
          // z, r of this row; h's product of the candidate comes for all rows at once.
          float* gates = Floats(args, gates_) + n * 2 * hidden;
          ResetGru(x, bias, gates);
          Multiply(gates + hidden, h, hidden, Floats(args, c_) + n * hidden);
          return;
        }
        float* gates = Floats(args, gates_) + n * rows;
        float* candidate = gates + 2 * hidden;
        ResetGru(x, bias, gates);
        // candidate = g((x + its bias) + r * (h's product + its bias))
        AddTo(bias + rows, hidden, candidate);
        MultiplyBy(gates + hidden, hidden, candidate);
        AddGates(x + 2 * hidden, bias + 2 * hidden, hidden, candidate);
        Clip(hidden, candidate);
        ApplyGate(spec_.functions[1], candidate, hidden);
        Blend(gates, candidate, hidden, h);
        break;
      }
    }
    StoreRow(args, time, n);
  }

  // z and r.
  void ResetGru(const float* x, const float* bias, float* gates) const {
    AddGates(x, bias, 2 * spec_.hidden, gates);
    Clip(2 * spec_.hidden, gates);
    ApplyGate(spec_.functions[0], gates, 2 * spec_.hidden);
  }

  // The candidate from (r * h)'s product, and the next state.
  void FinishGru(const RunArgs& args, int64_t step) const {
    const int64_t hidden = spec_.hidden;
    MultiplyH(args, 1, c_, candidates());
    ForRange(*args.parallel, spec_.batch, kWorkPerUnit * hidden, [&](int64_t begin, int64_t end) {
      for (int64_t n = begin; n < end; ++n) {
        const int64_t length = Length(args, n);
        if (step >= length) continue;
        const int64_t time = spec_.reverse ? length - 1 - step : step;
        const float* x = Floats(args, x_product_) + (time * spec_.batch + n) * 3 * hidden;
        float* candidate = Floats(args, candidates()) + n * hidden;
        AddGates(x + 2 * hidden, Floats(args, biases_) + 2 * hidden, hidden, candidate);
        Clip(hidden, candidate);
        ApplyGate(spec_.functions[1], candidate, hidden);
        Blend(Floats(args, gates_) + n * 2 * hidden, candidate, hidden,
              Floats(args, h_) + n * hidden);
        StoreRow(args, time, n);
      }
    });
  }

  // Behind z and r of all samples.
  size_t candidates() const {
    return gates_ + static_cast<size_t>(spec_.batch * 2 * spec_.hidden) * sizeof(float);
  }

  void RunLstm(const RunArgs& args, const float* x, const float* bias, float* gates, float* c,
               float* h) const {
    const int64_t hidden = spec_.hidden;
    float* const input = gates;
    float* const output = gates + hidden;
    float* const forget = gates + 2 * hidden;
    float* const candidate = gates + 3 * hidden;
    AddGates(x, bias, 4 * hidden, gates);
    const float* peepholes = Input<float>(args, kPeepholes);
    if (peepholes != nullptr) {
      AddProduct(peepholes, c, hidden, input);
      AddProduct(peepholes + 2 * hidden, c, hidden, forget);
      Clip(hidden, input);
      Clip(2 * hidden, forget);
      ApplyGate(spec_.functions[0], input, hidden);
      ApplyGate(spec_.functions[0], forget, hidden);
    } else {
      Clip(4 * hidden, gates);
      ApplyGate(spec_.functions[0], gates, 3 * hidden);
    }
    ApplyGate(spec_.functions[1], candidate, hidden);
    if (spec_.input_forget) OneMinus(input, hidden, forget);
    UpdateCell(input, forget, candidate, hidden, c);
    if (peepholes != nullptr) {
      AddProduct(peepholes + hidden, c, hidden, output);
      Clip(hidden, output);
      ApplyGate(spec_.functions[0], output, hidden);
    }
    std::copy_n(c, hidden, candidate);
    ApplyGate(spec_.functions[2], candidate, hidden);
    Multiply(output, candidate, hidden, h);
  }

  const RecurrentSpec spec_;  // its borrowed scales are not looked at after construction
  std::vector<std::unique_ptr<const Product>> products_;  // of x, then of h
  PreparedPtr quantize_;                                  // kDynamicInt8
  std::string name_;

  // Offsets in the scratch memory.
  size_t x_product_ = 0;  // [T, N, G H]
  size_t gates_ = 0;      // [N, G H]; a GRU's with a candidate apart: [N, 2 H], then [N, H]
  size_t biases_ = 0;     // [G H + H]
  size_t h_ = 0;          // [N, H]
  size_t c_ = 0;          // [N, H]; a GRU keeps r * h there
  size_t x_stored_ = 0;
  size_t x_params_ = 0;
  size_t h_stored_ = 0;
  size_t h_params_ = 0;
  size_t inner_ = 0;  // of the products
  size_t scratch_bytes_ = 0;
};

}  // namespace

PreparedPtr PrepareRecurrent(const RecurrentSpec& spec, const PrepareContext& context) {
  if (!IsConsistent(spec)) return nullptr;
  return Recurrent::Make(spec, context);
}

}  // namespace fourfold::kernels::composed
