#pragma once

#include <span>
#include <vector>

#include "kernels/arithmetic.h"
#include "kernels/kernel.h"

namespace fourfold::kernels {

// Selections by computed indices (int32 or int64). A negative index counts from the end of its
// axis; one outside of the axis is reported as a fault, and zeros stand where it pointed. All
// tensors are row-major, of any element type.
//
//   inputs   src, indices        outputs  dst

// dst[o..., i..., n...] = src[o..., indices[i...], n...], o before `axis`, n behind it.
struct GatherSpec {
  TensorSpec src;
  TensorSpec indices;
  size_t axis = 0;
  // Set: src is int8 or uint8 and dst float32, (src - zero_point) * scale, with one entry for all
  // or (axis 0 only) one for each slice along the axis. Only what is selected is converted.
  std::vector<QuantParams> params;
};

// dst[i, j, k] = src[indices[i, j, k], j, k] for axis 0, and so on: dst has the shape of indices,
// which is at most as long as src in the other dimensions.
struct GatherElementsSpec {
  TensorSpec src;
  TensorSpec indices;
  size_t axis = 0;
};

// indices [batch..., i..., k]: each row of k numbers is a position in the dimensions of src behind
// the `batch_dims` that both share; dst [batch..., i..., what is left of src behind a position].
struct GatherNdSpec {
  TensorSpec src;
  TensorSpec indices;
  size_t batch_dims = 0;
};

std::span<const Kernel<GatherSpec>> GatherKernels();
std::span<const Kernel<GatherElementsSpec>> GatherElementsKernels();
std::span<const Kernel<GatherNdSpec>> GatherNdKernels();

}  // namespace fourfold::kernels
