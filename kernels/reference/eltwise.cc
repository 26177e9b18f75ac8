#include <cmath>

#include "kernels/reference/eltwise_types.h"
#include "kernels/reference/loops.h"
#include "kernels/reference/reference.h"

namespace fourfold::kernels {
namespace {

float StoredValue(int index, ElementType type) {
  return static_cast<float>(type == ElementType::kInt8 ? static_cast<int8_t>(index) : index);
}

}  // namespace

float Evaluate(const EltwiseSpec& spec, float x) {
  if (spec.function == EltwiseSpec::Function::kActivation) return Activate(spec.activation, x);
  return reference::Apply(spec, x);
}

EltwiseSpec MakeTable(const EltwiseSpec& function, ElementType src_type, QuantParams src,
                      ElementType dst_type, QuantParams dst) {
  EltwiseSpec table = function;
  table.function = EltwiseSpec::Function::kTable;
  for (int i = 0; i < 256; ++i) {
    const float stored = StoredValue(i, src_type);
    const float x = src.scale * (stored - static_cast<float>(src.zero_point));
    const float y = Evaluate(function, x) / dst.scale;
    table.table[static_cast<size_t>(i)] =
        dst_type == ElementType::kInt8
            ? static_cast<uint8_t>(RoundAndSaturate<int8_t>(y, dst.zero_point))
            : RoundAndSaturate<uint8_t>(y, dst.zero_point);
  }
  return table;
}

namespace reference {
namespace {

constexpr int64_t kBlock = 4096;

template <typename Block>
void ForBlocks(const RunArgs& args, int64_t count, int64_t work, const Block& block) {
  ForRange(
      *args.parallel, (count + kBlock - 1) / kBlock, kBlock * work,
      [&](int64_t begin, int64_t end) { block(begin * kBlock, std::min(count, end * kBlock)); });
}

// `work`: roughly, additions that one element costs.
template <typename F>
PreparedPtr FloatKernel(const EltwiseSpec& spec, int64_t work, F f) {
  return MakeKernel("reference/plain", [count = spec.count, work, f](const RunArgs& args) {
    const float* src = Input<float>(args, 0);
    float* dst = Output<float>(args);
    ForBlocks(args, count, work, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) dst[i] = f(src[i]);
    });
  });
}

PreparedPtr TableKernel(const EltwiseSpec& spec) {
  return MakeKernel("reference/table",
                    [count = spec.count, table = spec.table](const RunArgs& args) {
                      const uint8_t* src = Input<uint8_t>(args, 0);
                      uint8_t* dst = Output<uint8_t>(args);
                      ForBlocks(args, count, 1, [&](int64_t begin, int64_t end) {
                        for (int64_t i = begin; i < end; ++i) dst[i] = table[src[i]];
                      });
                    });
}

}  // namespace

PreparedPtr PrepareEltwise(const EltwiseSpec& spec, const PrepareContext&) {
  using Function = EltwiseSpec::Function;
  const float alpha = spec.activation.alpha;
  const float beta = spec.activation.beta;
  if (spec.type != ElementType::kFloat32 || spec.function > Function::kTable) {
    return PrepareTypedEltwise(spec);
  }
  // The cheap functions get loops of their own, which vectorise; with the values of Evaluate.
  if (spec.function == Function::kTable) return TableKernel(spec);
  if (spec.function == Function::kActivation) {
    switch (spec.activation.kind) {
      case Activation::Kind::kRelu:
        return FloatKernel(spec, 1, [](float x) { return x > 0.0f ? x : 0.0f; });
      case Activation::Kind::kClip:
        return FloatKernel(spec, 1,
                           [alpha, beta](float x) { return std::min(std::max(x, alpha), beta); });
      case Activation::Kind::kLeakyRelu:
        return FloatKernel(spec, 1, [alpha](float x) { return x < 0.0f ? alpha * x : x; });
      case Activation::Kind::kHardSwish:
        return FloatKernel(
            spec, 2, [](float x) { return x * std::min(std::max(x / 6.0f + 0.5f, 0.0f), 1.0f); });
      default: break;
    }
  }
  if (spec.function == Function::kHardSigmoid) {
    return FloatKernel(spec, 2, [alpha, beta](float x) {
      return std::min(std::max(alpha * x + beta, 0.0f), 1.0f);
    });
  }
  if (spec.function == Function::kSqrt)
    return FloatKernel(spec, 4, [](float x) { return std::sqrt(x); });
  if (spec.function == Function::kAbs)
    return FloatKernel(spec, 1, [](float x) { return std::fabs(x); });
  if (spec.function == Function::kNeg) return FloatKernel(spec, 1, [](float x) { return -x; });
  EltwiseSpec function = spec;
  return FloatKernel(spec, 16, [function](float x) { return Evaluate(function, x); });
}

}  // namespace reference
}  // namespace fourfold::kernels
