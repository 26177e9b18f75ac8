#pragma once

#include <vector>

#include "kernels/copy.h"
#include "server/graph/operations.h"

namespace fourfold::graph {

// Operations that are strided copies, for any layout of the source and a row-major result; and what
// else plans and constant folding share of moving elements.

// Sources have the dimensions that shape inference asked for.
kernels::CopySpec CopyOf(const DepthToSpace& op, const kernels::TensorSpec& src);
kernels::CopySpec CopyOf(const SpaceToDepth& op, const kernels::TensorSpec& src);
kernels::CopySpec CopyOfTile(const kernels::TensorSpec& src, const kernels::Dims& dst);

// The elements that a Pad adds in front of each dimension. `pads` are begins, then ends, of the
// dimensions in `axes`, or of all where it is null.
std::vector<int64_t> PadsInFront(size_t rank, const std::vector<int64_t>& pads,
                                 const std::vector<int64_t>* axes);

}  // namespace fourfold::graph
