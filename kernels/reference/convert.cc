#include "kernels/reference/element.h"
#include "kernels/reference/loops.h"
#include "kernels/reference/reference.h"

namespace fourfold::kernels::reference {
namespace {

template <typename S, typename T>
PreparedPtr Make(int64_t count) {
  return MakeKernel("reference/plain", [count](const RunArgs& args) {
    const S* src = Input<S>(args, 0);
    T* dst = Output<T>(args);
    ForRange(*args.parallel, count, 2, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) dst[i] = Store<T>(Value(src[i]));
    });
  });
}

}  // namespace

PreparedPtr PrepareConvert(const ConvertSpec& spec, const PrepareContext&) {
  return WithType(spec.src_type, [&](auto src) {
    return WithType(spec.dst_type,
                    [&](auto dst) { return Make<decltype(src), decltype(dst)>(spec.count); });
  });
}

}  // namespace fourfold::kernels::reference
