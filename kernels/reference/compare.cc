#include "kernels/compare.h"

#include "kernels/reference/broadcast_rows.h"
#include "kernels/reference/element.h"
#include "kernels/reference/reference.h"

namespace fourfold::kernels::reference {
namespace {

using Operation = CompareSpec::Operation;

template <typename S, typename F>
void Row(std::array<const void*, 2> from, std::array<int64_t, 2> steps, void* to, int64_t count,
         Fault*) {
  const S* a = static_cast<const S*>(from[0]);
  const S* b = static_cast<const S*>(from[1]);
  uint8_t* dst = static_cast<uint8_t*>(to);
  for (int64_t i = 0; i < count; ++i) {
    dst[i] = F{}(Value(a[i * steps[0]]), Value(b[i * steps[1]])) ? 1 : 0;
  }
}

template <typename S, typename F>
PreparedPtr Each(const CompareSpec& spec, F) {
  return MakeRowKernel<2>({&spec.a, &spec.b}, {sizeof(S), sizeof(S)}, spec.dst, 1, 2, &Row<S, F>);
}

PreparedPtr OfBooleans(const CompareSpec& spec) {
  if (spec.type != ElementType::kBool) return nullptr;
  using T = Computed<Bool>;
  switch (spec.operation) {
    case Operation::kAnd: return Each<Bool>(spec, [](T a, T b) { return (a & b) != 0; });
    case Operation::kOr: return Each<Bool>(spec, [](T a, T b) { return (a | b) != 0; });
    default: return Each<Bool>(spec, [](T a, T b) { return a != b; });
  }
}

}  // namespace

PreparedPtr PrepareCompare(const CompareSpec& spec, const PrepareContext&) {
  if (spec.operation >= Operation::kAnd) return OfBooleans(spec);
  if (spec.type == ElementType::kBool && spec.operation != Operation::kEqual) return nullptr;
  return WithType(spec.type, [&](auto stored) -> PreparedPtr {
    using S = decltype(stored);
    using T = Computed<S>;
    switch (spec.operation) {
      case Operation::kEqual: return Each<S>(spec, [](T a, T b) { return a == b; });
      case Operation::kGreater: return Each<S>(spec, [](T a, T b) { return a > b; });
      case Operation::kGreaterOrEqual: return Each<S>(spec, [](T a, T b) { return a >= b; });
      case Operation::kLess: return Each<S>(spec, [](T a, T b) { return a < b; });
      case Operation::kLessOrEqual: return Each<S>(spec, [](T a, T b) { return a <= b; });
      default: return nullptr;
    }
  });
}

}  // namespace fourfold::kernels::reference
