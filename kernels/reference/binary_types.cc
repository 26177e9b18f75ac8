#include "kernels/reference/binary_types.h"

#include "kernels/reference/broadcast_rows.h"
#include "kernels/reference/element.h"

namespace fourfold::kernels::reference {
namespace {

using Operation = BinarySpec::Operation;
using Operands = std::array<const void*, 2>;
using Steps = std::array<int64_t, 2>;

// dst = F(a, b) of numbers stored as S.
template <typename S, typename F>
void Row(Operands from, Steps steps, void* to, int64_t count, Fault*) {
  const S* a = static_cast<const S*>(from[0]);
  const S* b = static_cast<const S*>(from[1]);
  S* dst = static_cast<S*>(to);
  for (int64_t i = 0; i < count; ++i) {
    dst[i] = Store<S>(F{}(Value(a[i * steps[0]]), Value(b[i * steps[1]])));
  }
}

// The same of integers, where b may not be 0: dst is then 0.
template <typename T, typename F>
void DivisionRow(Operands from, Steps steps, void* to, int64_t count, Fault* fault) {
  const T* a = static_cast<const T*>(from[0]);
  const T* b = static_cast<const T*>(from[1]);
  T* dst = static_cast<T*>(to);
  bool divided = true;
  for (int64_t i = 0; i < count; ++i) {
    const T divisor = b[i * steps[1]];
    divided = divided && divisor != 0;
    dst[i] = divisor == 0 ? T{0} : F{}(a[i * steps[0]], divisor);
  }
  if (!divided && fault != nullptr) fault->Report("an integer is divided by zero");
}

PreparedPtr Make(const BinarySpec& spec, int64_t work, RowFunction<2> row) {
  return MakeRowKernel<2>({&spec.a.dims, &spec.b.dims},
                          {ElementSize(spec.a.type), ElementSize(spec.b.type)}, spec.dst.dims,
                          ElementSize(spec.dst.type), work, row);
}

template <typename S>
PreparedPtr OfReals(const BinarySpec& spec) {
  using T = Computed<S>;
  const auto each = [&](int64_t work, auto f) { return Make(spec, work, &Row<S, decltype(f)>); };
  switch (spec.operation) {
    case Operation::kAdd: return each(2, [](T a, T b) { return a + b; });
    case Operation::kSub: return each(2, [](T a, T b) { return a - b; });
    case Operation::kMul: return each(2, [](T a, T b) { return a * b; });
    case Operation::kDiv: return each(4, [](T a, T b) { return a / b; });
    case Operation::kMax: return each(2, [](T a, T b) { return a < b || b != b ? b : a; });
    case Operation::kMin: return each(2, [](T a, T b) { return b < a || b != b ? b : a; });
    case Operation::kPRelu: return each(2, [](T a, T b) { return a < 0 ? a * b : a; });
    case Operation::kMod: return each(32, [](T a, T b) { return FloorMod(a, b); });
    case Operation::kRemainder: return each(32, [](T a, T b) { return std::fmod(a, b); });
    default: return nullptr;
  }
}

// Rounded towards zero, b not 0; the one overflow wraps around.
template <typename T>
T Quotient(T a, T b) {
  if constexpr (std::is_signed_v<T>) {
    if (b == -1) return static_cast<T>(uint64_t{0} - static_cast<uint64_t>(a));
  }
  return static_cast<T>(a / b);
}
template <typename T>
T Remainder(T a, T b) {
  if constexpr (std::is_signed_v<T>) {
    if (b == -1) return 0;
  }
  return static_cast<T>(a % b);
}

template <typename T>
PreparedPtr OfUnsigned(const BinarySpec& spec) {
  const auto each = [&](auto f) { return Make(spec, 2, &Row<T, decltype(f)>); };
  constexpr T kBits = std::numeric_limits<T>::digits;
  switch (spec.operation) {
    case Operation::kShiftLeft:
      return each([](T a, T b) {
        return b >= kBits ? T{0} : static_cast<T>(static_cast<uint64_t>(a) << b);
      });
    case Operation::kShiftRight:
      return each([](T a, T b) { return b >= kBits ? T{0} : static_cast<T>(a >> b); });
    default: return nullptr;
  }
}

// Sums and products are computed without a sign in 64 bits: those wrap around, and their low bits
// are right for every type.
template <typename T>
PreparedPtr OfIntegers(const BinarySpec& spec) {
  using U = uint64_t;
  const auto each = [&](auto f) { return Make(spec, 2, &Row<T, decltype(f)>); };
  const auto divide = [&](auto f) { return Make(spec, 8, &DivisionRow<T, decltype(f)>); };
  switch (spec.operation) {
    case Operation::kAdd: return each([](T a, T b) { return U(a) + U(b); });
    case Operation::kSub: return each([](T a, T b) { return U(a) - U(b); });
    case Operation::kMul: return each([](T a, T b) { return U(a) * U(b); });
    case Operation::kBitwiseAnd: return each([](T a, T b) { return U(a) & U(b); });
    case Operation::kBitwiseOr: return each([](T a, T b) { return U(a) | U(b); });
    case Operation::kBitwiseXor: return each([](T a, T b) { return U(a) ^ U(b); });
    case Operation::kMax: return each([](T a, T b) { return std::max(a, b); });
    case Operation::kMin: return each([](T a, T b) { return std::min(a, b); });
    case Operation::kPRelu: return each([](T a, T b) { return a < 0 ? U(a) * U(b) : U(a); });
    case Operation::kDiv: return divide([](T a, T b) { return Quotient(a, b); });
    case Operation::kRemainder: return divide([](T a, T b) { return Remainder(a, b); });
    case Operation::kMod:
      return divide([](T a, T b) {
        const T remainder = Remainder(a, b);
        const bool other_sign = remainder != 0 && (remainder < 0) != (b < 0);
        return other_sign ? static_cast<T>(remainder + b) : remainder;
      });
    default:
      if constexpr (std::is_unsigned_v<T>) return OfUnsigned<T>(spec);
      return nullptr;
  }
}

// a^b of integers in two's complement; truncated where b < 0.
template <typename T>
T IntegerPower(T a, int64_t b) {
  if (b < 0) {
    if (a == 1) return 1;
    if constexpr (std::is_signed_v<T>) {
      if (a == -1) return b % 2 == 0 ? T{1} : T{-1};
    }
    return 0;
  }
  uint64_t result = 1, base = static_cast<uint64_t>(a);
  for (uint64_t exponent = static_cast<uint64_t>(b); exponent != 0; exponent >>= 1) {
    if (exponent & 1) result *= base;
    base *= base;
  }
  return static_cast<T>(result);
}

template <typename S, typename E>
PreparedPtr PowerKernel(const BinarySpec& spec) {
  const auto rows = MakeBroadcastRows<2>({&spec.a.dims, &spec.b.dims}, spec.dst.dims);
  const Reader<E> exponent = ReaderOf<E>(spec.b.type);
  if (!rows || exponent == nullptr) return nullptr;
  return MakeKernel("reference/plain", [rows = *rows, exponent](const RunArgs& args) {
    const S* a = Input<S>(args, 0);
    const void* b = args.inputs[1];
    S* dst = Output<S>(args);
    ForBroadcastRows<2>(args, rows, 32, [&](auto from, int64_t at, int64_t count, auto steps) {
      for (int64_t i = 0; i < count; ++i) {
        const auto base = Value(a[from[0] + i * steps[0]]);
        const E power = exponent(b, from[1] + i * steps[1]);
        if constexpr (std::is_same_v<E, int64_t>) {
          dst[at + i] = IntegerPower(base, power);
        } else {
          dst[at + i] = Store<S>(std::pow(static_cast<double>(base), power));
        }
      }
    });
  });
}

PreparedPtr PreparePower(const BinarySpec& spec) {
  if (IsReal(spec.a.type)) {
    return WithReal(spec.a.type,
                    [&](auto stored) { return PowerKernel<decltype(stored), double>(spec); });
  }
  return WithInteger(spec.a.type, [&](auto stored) {
    using S = decltype(stored);
    return IsReal(spec.b.type) ? PowerKernel<S, double>(spec) : PowerKernel<S, int64_t>(spec);
  });
}

}  // namespace

PreparedPtr PrepareTypedBinary(const BinarySpec& spec) {
  for (const TensorSpec* tensor : {&spec.a, &spec.b, &spec.dst}) {
    if (tensor->layout != Layout::kRowMajor) return nullptr;
  }
  if (spec.activation.kind != Activation::Kind::kNone || spec.dst.type != spec.a.type) {
    return nullptr;
  }
  if (spec.operation == Operation::kPow) return PreparePower(spec);
  if (spec.b.type != spec.a.type) return nullptr;
  if (IsReal(spec.a.type)) {
    return WithReal(spec.a.type, [&](auto stored) { return OfReals<decltype(stored)>(spec); });
  }
  return WithInteger(spec.a.type, [&](auto stored) { return OfIntegers<decltype(stored)>(spec); });
}

}  // namespace fourfold::kernels::reference
