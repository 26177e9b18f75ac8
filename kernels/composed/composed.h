#pragma once

#include "kernels/kernel.h"
#include "kernels/matmul.h"
#include "kernels/recurrent.h"

// Operations made of other operations' kernels and of plain loops that the compiler vectorises:
// fast on every CPU, the same results on all of them where the kernels below give the same.
namespace fourfold::kernels::composed {

PreparedPtr PrepareRecurrent(const RecurrentSpec& spec, const PrepareContext& context);

// A product of at most kFewRows rows with constant weights stored n x k, which reads each weight
// once and has next to no overhead: float32, and 8 bits where the CPU has AVX-512 VNNI. No bias,
// residual or activation; integer arithmetic to float32 only. Null for others.
inline constexpr int64_t kFewRows = 4;
PreparedPtr PrepareFewRows(const MatMulSpec& spec, const PrepareContext& context);

}  // namespace fourfold::kernels::composed
