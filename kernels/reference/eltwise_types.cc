#include "kernels/reference/eltwise_types.h"

#include "kernels/reference/element.h"
#include "kernels/reference/loops.h"

namespace fourfold::kernels::reference {
namespace {

// dst[i] = f(number) for each stored S.
template <typename S, typename T, typename F>
PreparedPtr Each(const EltwiseSpec& spec, int64_t work, F f) {
  return MakeKernel("reference/plain", [count = spec.count, work, f](const RunArgs& args) {
    const S* src = Input<S>(args, 0);
    T* dst = Output<T>(args);
    ForRange(*args.parallel, count, work, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) dst[i] = Store<T>(f(Value(src[i])));
    });
  });
}

// Activate of arithmetic.h in double.
double ActivateDouble(const Activation& activation, double x) {
  const double alpha = activation.alpha, beta = activation.beta;
  switch (activation.kind) {
    case Activation::Kind::kNone: return x;
    case Activation::Kind::kRelu: return x > 0.0 ? x : 0.0;
    case Activation::Kind::kClip: return std::min(std::max(x, alpha), beta);
    case Activation::Kind::kLeakyRelu: return x < 0.0 ? alpha * x : x;
    case Activation::Kind::kSigmoid: return 1.0 / (1.0 + std::exp(-x));
    case Activation::Kind::kTanh: return std::tanh(x);
    case Activation::Kind::kHardSwish: return x * std::min(std::max(x / 6.0 + 0.5, 0.0), 1.0);
    case Activation::Kind::kSwish: return x / (1.0 + std::exp(-x));
    case Activation::Kind::kElu: return x < 0.0 ? alpha * std::expm1(x) : x;
  }
  return x;
}

template <typename S>
PreparedPtr Predicate(const EltwiseSpec& spec) {
  using Number = Computed<S>;
  if (spec.function == EltwiseSpec::Function::kIsNan) {
    return Each<S, Bool>(spec, 1, [](Number x) { return std::isnan(x) ? 1 : 0; });
  }
  const bool negative = spec.activation.alpha != 0.0f, positive = spec.activation.beta != 0.0f;
  return Each<S, Bool>(spec, 1, [negative, positive](Number x) {
    return std::isinf(x) && (x < 0 ? negative : positive) ? 1 : 0;
  });
}

PreparedPtr OfReals(const EltwiseSpec& spec) {
  using Function = EltwiseSpec::Function;
  return WithReal(spec.type, [&](auto stored) -> PreparedPtr {
    using S = decltype(stored);
    if (spec.function == Function::kIsNan || spec.function == Function::kIsInf) {
      return Predicate<S>(spec);
    }
    if (spec.function >= Function::kTable) return nullptr;
    if constexpr (std::is_same_v<S, double>) {
      if (spec.function == Function::kActivation) {
        return Each<S, S>(spec, 16, [activation = spec.activation](double x) {
          return ActivateDouble(activation, x);
        });
      }
      return Each<S, S>(spec, 16, [spec](double x) { return Apply(spec, x); });
    } else {
      return Each<S, S>(spec, 16, [spec](float x) { return Evaluate(spec, x); });
    }
  });
}

template <typename T>
PreparedPtr ActivateIntegers(const EltwiseSpec& spec) {
  if (spec.activation.kind == Activation::Kind::kRelu) {
    return Each<T, T>(spec, 1, [](T x) { return std::max(x, T{0}); });
  }
  // Bounds are float32, which holds these.
  if (spec.activation.kind != Activation::Kind::kClip || sizeof(T) > sizeof(int16_t)) {
    return nullptr;
  }
  return Each<T, T>(spec, 1, [activation = spec.activation](T x) {
    return Activate(activation, static_cast<float>(x));
  });
}

PreparedPtr OfIntegers(const EltwiseSpec& spec) {
  using Function = EltwiseSpec::Function;
  return WithInteger(spec.type, [&](auto stored) -> PreparedPtr {
    using T = decltype(stored);
    const auto negated = [](T x) { return static_cast<T>(uint64_t{0} - static_cast<uint64_t>(x)); };
    switch (spec.function) {
      case Function::kAbs:
        return Each<T, T>(spec, 1, [negated](T x) { return x < 0 ? negated(x) : x; });
      case Function::kNeg: return Each<T, T>(spec, 1, negated);
      case Function::kSign:
        return Each<T, T>(spec, 1, [](T x) { return static_cast<T>((x > 0) - (x < 0)); });
      case Function::kBitwiseNot:
        return Each<T, T>(spec, 1, [](T x) { return static_cast<T>(~x); });
      case Function::kActivation: return ActivateIntegers<T>(spec);
      default: return nullptr;
    }
  });
}

}  // namespace

PreparedPtr PrepareTypedEltwise(const EltwiseSpec& spec) {
  if (spec.type == ElementType::kBool) {
    if (spec.function != EltwiseSpec::Function::kNot) return nullptr;
    return Each<Bool, Bool>(spec, 1, [](uint8_t x) { return 1 - x; });
  }
  return IsReal(spec.type) ? OfReals(spec) : OfIntegers(spec);
}

}  // namespace fourfold::kernels::reference
