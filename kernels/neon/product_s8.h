#pragma once

#include <cstdint>

#include "kernels/convolution.h"
#include "kernels/neon/finish_s8.h"
#include "kernels/neon/tile_s8.h"
#include "kernels/neon/weights_s8.h"

namespace fourfold::kernels::neon {

// Rows of a product that are computed by one thread: enough for a block of weights to be read from
// the first-level cache for most of them, few enough for their sources to stay there.
inline constexpr int64_t kChunkRowsS8 = 32;

// Up to kChunkRowsS8 rows and where their results go.
struct ChunkS8 {
  int64_t rows = 0;
  // Of row i at tap t: pointers[(i / kRowsS8 * taps + t) * kRowsS8 + i % kRowsS8].
  const uint8_t* const* pointers = nullptr;
  QuantParams params[kChunkRowsS8];  // of each row's source; scale for kDynamicInt8 only
  const float* residual = nullptr;   // at channel 0 of the first row; null for none
  void* dst = nullptr;               // likewise; both of `stride` elements from row to row
  int64_t stride = 0;
};

// Matrix product with packed weights, from pointers to finished results. Immutable.
class ProductS8 {
 public:
  ProductS8(const TileKernelS8& kernel, const WeightShapeS8& shape, TileWeightsS8 weights,
            FinishS8 finish, ElementType dst_type);

  // Computes column blocks [first_block, end_block) of `group` for the chunk's rows. Allocates
  // nothing.
  void Run(const ChunkS8& chunk, int64_t group, int64_t first_block, int64_t end_block) const;

  int64_t taps() const { return shape_.tile_taps(); }
  int64_t depth() const { return shape_.tile_depth(); }
  int64_t blocks() const { return weights_.blocks; }
  size_t packed_bytes() const { return weights_.bytes; }

 private:
  const TileKernelS8& kernel_;  // a constant of the program
  const WeightShapeS8 shape_;
  const TileWeightsS8 weights_;
  const FinishS8 finish_;
  const size_t dst_size_;  // bytes of one element
};

// Whether types and lengths are what accumulate.h allows for integers, and weights are constant;
// `length` is the number of products in a sum.
bool IsServedS8(const Accumulation& sum, ElementType src, ElementType dst, int64_t channels,
                int64_t length);

// Whether the spec is a consistent convolution of 1 to 3 spatial dimensions, nothing of it empty,
// with src and dst channels-last.
bool IsChannelsLast(const ConvolutionSpec& spec);

}  // namespace fourfold::kernels::neon
