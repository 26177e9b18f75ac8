#pragma once

#include <cstdint>

#include "kernels/cpu_features.h"

namespace fourfold::kernels::composed {

// Whether DotVnni may be called.
bool HasDotVnni(CpuFeatures features);

// sum[i] = sum over j < k of src[j] * weights[j][i], for 16 * groups columns, groups from 1 to 4.
//   src      k elements of 8 bits; signed ones are read with 128 added
//   weights  [ceil(k / 4)][16 * groups][4], zeros behind k; aligned to 64
//   sum      aligned to 64
void DotVnni(const uint8_t* src, bool is_signed, const int8_t* weights, int64_t k, int64_t groups,
             int32_t* sum);

}  // namespace fourfold::kernels::composed
