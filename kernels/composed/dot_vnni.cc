#include "kernels/composed/dot_vnni.h"

#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace fourfold::kernels::composed {

#if defined(__x86_64__)

namespace {

#define FOURFOLD_VNNI __attribute__((target("avx512f,avx512bw,avx512vl,avx512vnni")))

template <int kGroups>
FOURFOLD_VNNI void Dot(const uint8_t* src, int32_t flip, const int8_t* weights, int64_t k,
                       int32_t* sum) {
  __m512i total[kGroups];
  for (int g = 0; g < kGroups; ++g) total[g] = _mm512_setzero_si512();
  const auto* w = reinterpret_cast<const __m512i*>(weights);
  for (int64_t j = 0; j < k; j += 4) {
    int32_t four = 0;
    if (j + 4 <= k) {
      std::memcpy(&four, src + j, 4);
    } else {
      std::memcpy(&four, src + j, static_cast<size_t>(k - j));
    }
    const __m512i values = _mm512_set1_epi32(four ^ flip);
    for (int g = 0; g < kGroups; ++g) total[g] = _mm512_dpbusd_epi32(total[g], values, *w++);
  }
  for (int g = 0; g < kGroups; ++g) _mm512_store_si512(sum + 16 * g, total[g]);
}

}  // namespace

bool HasDotVnni(CpuFeatures features) { return (features & kAvx512Vnni) != 0; }

FOURFOLD_VNNI void DotVnni(const uint8_t* src, bool is_signed, const int8_t* weights, int64_t k,
                           int64_t groups, int32_t* sum) {
  const auto flip = static_cast<int32_t>(is_signed ? 0x80808080u : 0u);
  switch (groups) {
    case 1: return Dot<1>(src, flip, weights, k, sum);
    case 2: return Dot<2>(src, flip, weights, k, sum);
    case 3: return Dot<3>(src, flip, weights, k, sum);
    default: return Dot<4>(src, flip, weights, k, sum);
  }
}

#else

bool HasDotVnni(CpuFeatures) { return false; }

void DotVnni(const uint8_t*, bool, const int8_t*, int64_t, int64_t, int32_t*) {}

#endif

}  // namespace fourfold::kernels::composed
