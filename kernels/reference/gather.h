#pragma once

#include "kernels/reference/loops.h"

namespace fourfold::kernels::reference {

// The kernel dst[i, j, ...] = src[maps[0][i], maps[1][j], ...] over tensors of one type and layout:
// one map for each logical dimension, as long as dst's. Null for an element size it does not know.
PreparedPtr MakeGather(const TensorSpec& src, const TensorSpec& dst,
                       const std::vector<std::vector<int64_t>>& maps);

}  // namespace fourfold::kernels::reference
