#include <cmath>

#include "kernels/reference/binary_types.h"
#include "kernels/reference/broadcast.h"
#include "kernels/reference/reference.h"

namespace fourfold::kernels::reference {
namespace {

// dst[i] = f(a[i], b[i]) with the common steps made constants for the vectoriser.
template <typename A, typename B, typename T, typename F>
FOURFOLD_INLINE void Loop(const A* a, const B* b, T* dst, int64_t count, Steps steps, const F& f) {
  if (steps.a == 1 && steps.b == 1) {
    for (int64_t i = 0; i < count; ++i) dst[i] = f(a[i], b[i]);
  } else if (steps.a == 1 && steps.b == 0) {
    const B value = *b;
    for (int64_t i = 0; i < count; ++i) dst[i] = f(a[i], value);
  } else if (steps.a == 0 && steps.b == 1) {
    const A value = *a;
    for (int64_t i = 0; i < count; ++i) dst[i] = f(value, b[i]);
  } else {
    for (int64_t i = 0; i < count; ++i) dst[i] = f(a[i * steps.a], b[i * steps.b]);
  }
}

template <typename F>
PreparedPtr FloatKernel(Walk walk, const Activation& activation, F f) {
  return MakeKernel("reference/plain", [walk = std::move(walk), activation,
                                        f](const RunArgs& args) {
    const float* a = Input<float>(args, 0);
    const float* b = Input<float>(args, 1);
    float* dst = Output<float>(args);
    ForRows(args, walk, [&](int64_t at_a, int64_t at_b, int64_t at, int64_t count, Steps steps) {
      Loop(a + at_a, b + at_b, dst + at, count, steps, f);
      float* row = dst + at;
      if (activation.kind == Activation::Kind::kRelu) {
        for (int64_t i = 0; i < count; ++i) row[i] = row[i] > 0.0f ? row[i] : 0.0f;
      } else if (activation.kind != Activation::Kind::kNone) {
        for (int64_t i = 0; i < count; ++i) row[i] = Activate(activation, row[i]);
      }
    });
  });
}

PreparedPtr PrepareFloat(const BinarySpec& spec, Walk walk) {
  using Operation = BinarySpec::Operation;
  const auto kernel = [&](auto f) { return FloatKernel(std::move(walk), spec.activation, f); };
  switch (spec.operation) {
    case Operation::kAdd: return kernel([](float a, float b) { return a + b; });
    case Operation::kSub: return kernel([](float a, float b) { return a - b; });
    case Operation::kMul: return kernel([](float a, float b) { return a * b; });
    case Operation::kDiv: return kernel([](float a, float b) { return a / b; });
    case Operation::kMax: return kernel([](float a, float b) { return a < b || b != b ? b : a; });
    case Operation::kMin: return kernel([](float a, float b) { return b < a || b != b ? b : a; });
    case Operation::kPow: return kernel([](float a, float b) { return std::pow(a, b); });
    case Operation::kPRelu: return kernel([](float a, float b) { return a < 0.0f ? a * b : a; });
    case Operation::kMod: return kernel([](float a, float b) { return FloorMod(a, b); });
    case Operation::kRemainder: return kernel([](float a, float b) { return std::fmod(a, b); });
    default: return nullptr;
  }
}

// The whole kernel for one combination of types, non-template so that it can have clones.
template <typename A, typename B, typename T>
FOURFOLD_INLINE void AddLoop(const A* a, const B* b, T* dst, int64_t count, Steps steps,
                             AddParams p) {
  Loop(
      a, b, dst, count, steps, [p](A x, B y) __attribute__((always_inline)) {
        const float sum = __builtin_fmaf(static_cast<float>(y), p.rb, p.fixed);
        return Saturate<T>(__builtin_fmaf(static_cast<float>(x), p.ra, sum), 0.0f);
      });
}
template <typename A, typename B, typename T>
FOURFOLD_INLINE void MulLoop(const A* a, const B* b, T* dst, int64_t count, Steps steps,
                             MulParams p) {
  Loop(
      a, b, dst, count, steps, [p](A x, B y) __attribute__((always_inline)) {
        const int32_t product = (x - p.a_zero) * (y - p.b_zero);
        return Saturate<T>(static_cast<float>(product) * p.ratio + p.zero, 0.0f);
      });
}

#define FOURFOLD_INTEGER_ROWS(A, B, T)                                                 \
  FOURFOLD_CLONES void Row(const A* a, const B* b, T* dst, int64_t count, Steps steps, \
                           AddParams params) {                                         \
    AddLoop(a, b, dst, count, steps, params);                                          \
  }                                                                                    \
  FOURFOLD_CLONES void Row(const A* a, const B* b, T* dst, int64_t count, Steps steps, \
                           MulParams params) {                                         \
    MulLoop(a, b, dst, count, steps, params);                                          \
  }
FOURFOLD_INTEGER_ROWS(uint8_t, uint8_t, uint8_t)
FOURFOLD_INTEGER_ROWS(uint8_t, uint8_t, int8_t)
FOURFOLD_INTEGER_ROWS(uint8_t, int8_t, uint8_t)
FOURFOLD_INTEGER_ROWS(uint8_t, int8_t, int8_t)
FOURFOLD_INTEGER_ROWS(int8_t, uint8_t, uint8_t)
FOURFOLD_INTEGER_ROWS(int8_t, uint8_t, int8_t)
FOURFOLD_INTEGER_ROWS(int8_t, int8_t, uint8_t)
FOURFOLD_INTEGER_ROWS(int8_t, int8_t, int8_t)
#undef FOURFOLD_INTEGER_ROWS

template <typename A, typename B, typename T, typename Params>
PreparedPtr IntegerKernel(Walk walk, Params params) {
  return MakeKernel("reference/plain", [walk = std::move(walk), params](const RunArgs& args) {
    const A* a = Input<A>(args, 0);
    const B* b = Input<B>(args, 1);
    T* dst = Output<T>(args);
    ForRows(args, walk, [&](int64_t at_a, int64_t at_b, int64_t at, int64_t count, Steps steps) {
      Row(a + at_a, b + at_b, dst + at, count, steps, params);
    });
  });
}

// Calls f with a value of the integer type that `type` names.
template <typename F>
PreparedPtr WithType(ElementType type, const F& f) {
  return type == ElementType::kUint8 ? f(uint8_t{}) : f(int8_t{});
}

template <typename Params>
PreparedPtr PrepareInteger(const BinarySpec& spec, const Walk& walk, Params params) {
  return WithType(spec.a.type, [&](auto a) {
    return WithType(spec.b.type, [&](auto b) {
      return WithType(spec.dst.type, [&](auto dst) {
        return IntegerKernel<decltype(a), decltype(b), decltype(dst)>(walk, params);
      });
    });
  });
}

}  // namespace

PreparedPtr PrepareBinary(const BinarySpec& spec, const PrepareContext&) {
  if (spec.plain_integers) return PrepareTypedBinary(spec);
  Walk walk;
  if (!MakeWalk(spec, &walk)) return nullptr;
  const auto all = [&](auto is) { return is(spec.a.type) && is(spec.b.type) && is(spec.dst.type); };
  if (all([](ElementType type) { return type == ElementType::kFloat32; })) {
    return PrepareFloat(spec, std::move(walk));
  }
  if (!all(IsInteger8)) return PrepareTypedBinary(spec);
  if (spec.activation.kind != Activation::Kind::kNone) return nullptr;
  if (spec.operation == BinarySpec::Operation::kAdd) {
    return PrepareInteger(spec, walk, AddParamsOf(spec));
  }
  if (spec.operation == BinarySpec::Operation::kMul) {
    return PrepareInteger(spec, walk, MulParamsOf(spec));
  }
  return nullptr;
}

}  // namespace fourfold::kernels::reference
