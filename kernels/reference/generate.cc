#include "kernels/generate.h"

#include <cstring>

#include "kernels/reference/element.h"
#include "kernels/reference/loops.h"
#include "kernels/reference/reference.h"

namespace fourfold::kernels::reference {
namespace {

template <typename T>
PreparedPtr Fill(const FillSpec& spec) {
  T value;
  std::memcpy(&value, spec.value.data(), sizeof value);
  return MakeKernel("reference/plain", [count = spec.count, value](const RunArgs& args) {
    std::fill_n(Output<T>(args), count, value);
  });
}

}  // namespace

PreparedPtr PrepareFill(const FillSpec& spec, const PrepareContext&) {
  switch (spec.element_bytes) {
    case 1: return Fill<uint8_t>(spec);
    case 2: return Fill<uint16_t>(spec);
    case 4: return Fill<uint32_t>(spec);
    case 8: return Fill<uint64_t>(spec);
    default: return nullptr;
  }
}

PreparedPtr PrepareRange(const RangeSpec& spec, const PrepareContext&) {
  return WithNumber(spec.type, [&](auto stored) {
    using S = decltype(stored);
    using T = Computed<S>;
    using Number = std::conditional_t<std::is_integral_v<T>, uint64_t, T>;
    return MakeKernel("reference/plain", [count = spec.count](const RunArgs& args) {
      const auto start = static_cast<Number>(Value(Input<S>(args, 0)[0]));
      const auto delta = static_cast<Number>(Value(Input<S>(args, 2)[0]));
      S* dst = Output<S>(args);
      for (int64_t i = 0; i < count; ++i) dst[i] = Store<S>(start + static_cast<Number>(i) * delta);
    });
  });
}

PreparedPtr PrepareEye(const EyeSpec& spec, const PrepareContext&) {
  return WithType(spec.type, [&](auto stored) {
    using S = decltype(stored);
    return MakeKernel("reference/plain", [spec](const RunArgs& args) {
      S* dst = Output<S>(args);
      for (int64_t r = 0; r < spec.rows; ++r) {
        for (int64_t c = 0; c < spec.columns; ++c) {
          // r + diagonal could overflow.
          *dst++ = Store<S>(c - r == spec.diagonal ? 1 : 0);
        }
      }
    });
  });
}

}  // namespace fourfold::kernels::reference
