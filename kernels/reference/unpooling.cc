#include <cstring>

#include "kernels/reference/loops.h"
#include "kernels/reference/reference.h"

namespace fourfold::kernels::reference {
namespace {

// Where an element of `indexed` lies in dst; -1 for nowhere.
int64_t Place(const UnpoolingSpec& spec, int64_t index) {
  int64_t offset = 0, stride = 1;
  for (size_t d = spec.dst.size(); d-- > 0;) {
    const int64_t at = index % spec.indexed[d];
    if (at >= spec.dst[d]) return -1;
    index /= spec.indexed[d];
    offset += at * stride;
    stride *= spec.dst[d];
  }
  return offset;
}

}  // namespace

PreparedPtr PrepareUnpooling(const UnpoolingSpec& spec, const PrepareContext&) {
  if (spec.indexed.size() != spec.dst.size()) return nullptr;
  const int64_t indices = ElementCount(spec.indexed);
  return MakeKernel("reference/plain", [spec, indices](const RunArgs& args) {
    const auto* src = Input<uint32_t>(args, 0);
    const auto* index = Input<int64_t>(args, 1);
    auto* dst = Output<uint32_t>(args);
    std::memset(dst, 0, static_cast<size_t>(ElementCount(spec.dst)) * sizeof(uint32_t));
    for (int64_t i = 0; i < spec.count; ++i) {
      if (index[i] < 0 || index[i] >= indices) {
        if (args.fault != nullptr) args.fault->Report("an index is outside of the output");
        continue;
      }
      if (const int64_t at = Place(spec, index[i]); at >= 0) dst[at] = src[i];
    }
  });
}

}  // namespace fourfold::kernels::reference
