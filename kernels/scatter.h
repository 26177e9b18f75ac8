#pragma once

#include <span>

#include "kernels/kernel.h"

namespace fourfold::kernels {

// A copy of src with some elements replaced by updates, or combined with them. Indices (int32 or
// int64) count from the end of their axis where negative; one outside is reported as a fault and
// passed over. Updates of one element are applied in their order, so the last one stays. All
// tensors are row-major; dst has the type and shape of src. Sums and products of integers wrap
// around; float16 and bfloat16 are rounded after each; of booleans they, maximum and minimum are or
// and and.
//
//   inputs   src, indices, updates        outputs  dst (does not overlap src)
enum class ScatterReduction : uint8_t { kNone, kAdd, kMul, kMax, kMin };

// dst[indices[i, j, k], j, k] = updates[i, j, k] for axis 0, and so on. indices and updates have
// one shape, at most as long as src outside of the axis.
struct ScatterElementsSpec {
  TensorSpec src;
  TensorSpec indices;
  size_t axis = 0;
  ScatterReduction reduction = ScatterReduction::kNone;
};

// indices [i..., k]: each row of k numbers is a position in the first k dimensions of src;
// updates [i..., what is left of src behind a position].
struct ScatterNdSpec {
  TensorSpec src;
  TensorSpec indices;
  ScatterReduction reduction = ScatterReduction::kNone;
};

std::span<const Kernel<ScatterElementsSpec>> ScatterElementsKernels();
std::span<const Kernel<ScatterNdSpec>> ScatterNdKernels();

}  // namespace fourfold::kernels
