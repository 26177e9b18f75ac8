#pragma once

#include <span>

#include "kernels/kernel.h"

namespace fourfold::kernels {

// Rearrangements that are no strided copies (kernels/copy.h). All tensors are row-major.

// The upper (lower) triangle of each matrix in the last two dimensions; zero elsewhere. The element
// in row i and column j belongs to the upper triangle if j - i >= diagonal, to the lower one if
// j - i <= diagonal. Any type.
//
//   inputs   src        outputs  dst (as src)
struct TriangleSpec {
  TensorSpec src;
  bool upper = true;
  int64_t diagonal = 0;
};

// The first lengths[b] steps of sequence b in reverse order, the others as they are. Time and batch
// are the first two dimensions, in either order. A length below 0 or above the number of steps is
// reported as a fault. Any type.
//
//   inputs   src, lengths [N] (int64)        outputs  dst (as src)
struct ReverseSequenceSpec {
  TensorSpec src;
  bool time_first = true;
};

// dst[o, d, n] = values[indices[o, n] == d], d along `axis` of dst. Indices are truncated to
// integers; negative ones count from the end; those outside of [-depth, depth) give the first value
// everywhere.
//
//   inputs   indices (any type but bool), depth (not read), values [2] (any type: off, on)
//   outputs  dst [indices.dims with depth inserted at axis]
struct OneHotSpec {
  TensorSpec indices;
  ElementType value_type = ElementType::kFloat32;
  size_t axis = 0;
  int64_t depth = 0;
};

// The opposite of cutting an image into blocks: dst[n, c, p] is the sum of src[n, c * |block| + b,
// l] over all positions b in a block and all blocks l whose element b lies on pixel p.
//
//   inputs   src [N, C * |block|, number of blocks] (numbers)        outputs  dst [N, C, image...]
struct BlocksToImageSpec {
  ElementType type = ElementType::kFloat32;
  int64_t batch = 1;
  int64_t channels = 1;
  Dims image;
  Dims block;
  Dims strides;  // one per dimension of the image, like all that follow
  Dims dilations;
  Dims pads;       // in front
  Dims positions;  // blocks along each dimension
};

std::span<const Kernel<TriangleSpec>> TriangleKernels();
std::span<const Kernel<ReverseSequenceSpec>> ReverseSequenceKernels();
std::span<const Kernel<OneHotSpec>> OneHotKernels();
std::span<const Kernel<BlocksToImageSpec>> BlocksToImageKernels();

}  // namespace fourfold::kernels
