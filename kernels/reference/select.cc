#include "kernels/select.h"

#include "kernels/reference/broadcast_rows.h"
#include "kernels/reference/reference.h"

namespace fourfold::kernels::reference {
namespace {

template <typename T>
void Row(std::array<const void*, 3> from, std::array<int64_t, 3> steps, void* to, int64_t count,
         Fault*) {
  const uint8_t* condition = static_cast<const uint8_t*>(from[0]);
  const T* a = static_cast<const T*>(from[1]);
  const T* b = static_cast<const T*>(from[2]);
  T* dst = static_cast<T*>(to);
  for (int64_t i = 0; i < count; ++i) {
    dst[i] = condition[i * steps[0]] != 0 ? a[i * steps[1]] : b[i * steps[2]];
  }
}

template <typename T>
PreparedPtr Make(const SelectSpec& spec) {
  return MakeRowKernel<3>({&spec.condition, &spec.a, &spec.b}, {1, sizeof(T), sizeof(T)}, spec.dst,
                          sizeof(T), 2, &Row<T>);
}

}  // namespace

PreparedPtr PrepareSelect(const SelectSpec& spec, const PrepareContext&) {
  switch (spec.element_bytes) {
    case 1: return Make<uint8_t>(spec);
    case 2: return Make<uint16_t>(spec);
    case 4: return Make<uint32_t>(spec);
    case 8: return Make<uint64_t>(spec);
    default: return nullptr;
  }
}

}  // namespace fourfold::kernels::reference
