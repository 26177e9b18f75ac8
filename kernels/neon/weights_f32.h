#pragma once

#include <cstddef>
#include <string>

#include "kernels/accumulate.h"
#include "kernels/kernel.h"

namespace fourfold::kernels::neon {

// Where the weights of a product are, in elements: weight (group g, column o, tap t, channel c) is
// at g * group_step + o * column_step + t * tap_step + c * channel_step.
struct WeightsShape {
  int64_t groups = 1;
  int64_t columns = 0;  // output channels of a group
  int64_t taps = 1;
  int64_t channels = 0;  // input channels of a group
  int64_t group_step = 0;
  int64_t column_step = 0;
  int64_t tap_step = 0;
  int64_t channel_step = 0;

  int64_t blocks() const;  // of a group
};

// Float weights in the order in which SumTileF32 and SumTileF16 read them, in the type in which
// they are stored:
//
//   64 bytes   float32 longest: the largest sum, over all columns and all runs of float16
//   arithmetic
//              (tile_f32.h), of the weights' magnitudes; 0 for float32 weights. Then zeros.
//   [groups][blocks][taps][channels][8]   eight columns side by side; 0 past the last column
//
// Shared through context.packed.
class PackedWeightsF32 {
 public:
  PackedWeightsF32(const Accumulation& sum, const WeightsShape& shape, const std::string& format,
                   const PrepareContext& context);

  const void* block(int64_t group, int64_t index) const;
  ptrdiff_t block_bytes() const { return block_bytes_; }
  bool half() const { return half_; }
  float longest_run() const;
  size_t bytes() const { return bytes_; }

 private:
  bool half_;
  int64_t blocks_;  // of a group
  ptrdiff_t block_bytes_;
  size_t bytes_;
  PackedWeights::Buffer buffer_;
};

}  // namespace fourfold::kernels::neon
