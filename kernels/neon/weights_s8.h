#pragma once

#include <cstdint>
#include <string>

#include "kernels/accumulate.h"
#include "kernels/kernel.h"
#include "kernels/neon/tile_s8.h"

namespace fourfold::kernels::neon {

// How int8 weights are stored: `groups` matrices of `columns` (output channels of a group), each
// summed over `taps` (places of the window) and `depth` (input channels of a group). Strides are
// in elements.
struct WeightShapeS8 {
  int64_t groups = 1;
  int64_t columns = 0;
  int64_t taps = 1;
  int64_t depth = 0;
  int64_t group_stride = 0;
  int64_t column_stride = 0;
  int64_t tap_stride = 0;
  int64_t depth_stride = 0;

  // One tap with all the depths behind each other, for rows that are gathered.
  bool gathered = false;

  int64_t tile_taps() const { return gathered ? 1 : taps; }
  int64_t tile_depth() const { return gathered ? taps * depth : depth; }
};

// Weights packed for a tile kernel. For each group and each block of 16 columns (the last one
// filled up with zeros), aligned to 64 bytes:
//   int32 sums[16]       of each column's weights
//   int8 weights[...]    in the kernel's WeightOrderS8
struct TileWeightsS8 {
  PackedWeights::Buffer buffer;
  int64_t blocks = 0;  // of one group
  int64_t block_bytes = 0;
  size_t bytes = 0;

  const int32_t* sums(int64_t group, int64_t block) const {
    return static_cast<const int32_t*>(buffer.get()) +
           (group * blocks + block) * block_bytes / static_cast<int64_t>(sizeof(int32_t));
  }
  const int8_t* values(int64_t group, int64_t block) const {
    return reinterpret_cast<const int8_t*>(sums(group, block) + kColumnsS8);
  }
};

// Empty (buffer null) where the kernel adds pairs and a pair of the weights does not fit.
// `operation` distinguishes, in the key of the shared buffer, operations that store weights
// differently.
TileWeightsS8 PackTilesS8(const Accumulation& sum, const WeightShapeS8& shape,
                          const TileKernelS8& kernel, const std::string& operation,
                          const PrepareContext& context);

// Weights of a depthwise convolution, stored [channels][taps], packed as
//   int32 sums[C]            of each channel's weights, C = channels rounded up to 16
//   int8 weights[C / 16][taps][16]
struct DepthwiseWeightsS8 {
  PackedWeights::Buffer buffer;
  int64_t channels = 0;  // rounded up
  size_t bytes = 0;

  const int32_t* sums() const { return static_cast<const int32_t*>(buffer.get()); }
  const int8_t* values() const { return reinterpret_cast<const int8_t*>(sums() + channels); }
};

// Empty where two neighbouring taps, the first of them even, are both -128.
DepthwiseWeightsS8 PackDepthwiseS8(const Accumulation& sum, int64_t channels, int64_t taps,
                                   const PrepareContext& context);

}  // namespace fourfold::kernels::neon
