#include "kernels/arg_reduce.h"

#include "kernels/reference/element.h"
#include "kernels/reference/loops.h"
#include "kernels/reference/reference.h"

namespace fourfold::kernels::reference {
namespace {

// The index in one line whose neighbours are spec.inner elements apart.
template <typename S>
int64_t Find(const ArgReduceSpec& spec, const S* line) {
  int64_t best = 0;
  auto value = Value(line[0]);
  for (int64_t i = 1; i < spec.axis; ++i) {
    const auto next = Value(line[i * spec.inner]);
    const bool better = spec.minimum ? next < value : value < next;
    if (better || (spec.select_last && next == value)) {
      best = i;
      value = next;
    }
  }
  return best;
}

template <typename S>
PreparedPtr Make(const ArgReduceSpec& spec) {
  return MakeKernel("reference/plain", [spec](const RunArgs& args) {
    if (spec.axis == 0) return;
    const S* src = Input<S>(args, 0);
    ForRange(*args.parallel, spec.outer * spec.inner, spec.axis, [&](int64_t begin, int64_t end) {
      for (int64_t line = begin; line < end; ++line) {
        const int64_t first = line / spec.inner * spec.axis * spec.inner + line % spec.inner;
        const int64_t best = Find(spec, src + first);
        if (!spec.one_hot) {
          Output<int64_t>(args)[line] = best;
          continue;
        }
        S* dst = Output<S>(args) + first;
        for (int64_t i = 0; i < spec.axis; ++i) dst[i * spec.inner] = Store<S>(i == best ? 1 : 0);
      }
    });
  });
}

}  // namespace

PreparedPtr PrepareArgReduce(const ArgReduceSpec& spec, const PrepareContext&) {
  if (spec.axis == 0 && !spec.one_hot) return nullptr;
  return WithNumber(spec.type, [&](auto stored) { return Make<decltype(stored)>(spec); });
}

}  // namespace fourfold::kernels::reference
