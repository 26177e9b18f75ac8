#include "kernels/accumulate_axis.h"

#include "kernels/reference/element.h"
#include "kernels/reference/loops.h"
#include "kernels/reference/reference.h"

namespace fourfold::kernels::reference {
namespace {

template <typename S>
PreparedPtr Make(const AccumulateAxisSpec& spec) {
  using T = Computed<S>;
  // Unsigned integers wrap around.
  using Sum = std::conditional_t<std::is_integral_v<T>, uint64_t, T>;
  return MakeKernel("reference/plain", [spec](const RunArgs& args) {
    const S* src = Input<S>(args, 0);
    S* dst = Output<S>(args);
    const int64_t step = spec.reverse ? -spec.inner : spec.inner;
    ForRange(*args.parallel, spec.outer * spec.inner, spec.axis, [&](int64_t begin, int64_t end) {
      for (int64_t line = begin; line < end; ++line) {
        int64_t at = line / spec.inner * spec.axis * spec.inner + line % spec.inner;
        if (spec.reverse) at += (spec.axis - 1) * spec.inner;
        Sum sum = 0;
        for (int64_t i = 0; i < spec.axis; ++i, at += step) {
          const Sum next = sum + static_cast<Sum>(Value(src[at]));
          dst[at] = Store<S>(spec.exclusive ? sum : next);
          sum = next;
        }
      }
    });
  });
}

}  // namespace

PreparedPtr PrepareAccumulateAxis(const AccumulateAxisSpec& spec, const PrepareContext&) {
  return WithNumber(spec.type, [&](auto stored) { return Make<decltype(stored)>(spec); });
}

}  // namespace fourfold::kernels::reference
