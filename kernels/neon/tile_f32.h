#pragma once

#include <cstddef>
#include <cstdint>

// The innermost loops of float convolutions and matrix products: sums of a tile, a few rows by a
// few blocks of columns. Plain structs only: the files behind it are compiled with flags of their
// own.
namespace fourfold::kernels::neon {

inline constexpr int kTileRows = 8;    // output positions of a tile
inline constexpr int kBlockWidth = 8;  // output channels that are packed together
inline constexpr int kTileBlocks = 4;  // at most, of one tile
inline constexpr int kTileColumns = kTileBlocks * kBlockWidth;

// sums[r][b * 8 + i] = sum over taps t, channels c of
//                          rows[t][r][offset + c] * weights[block b][t][c][i]
// Each sum is one chain of fused multiply-adds in this order, whatever the tile's size, so a result
// does not depend on which rows share its tile.
struct TileF32 {
  const void* const* rows = nullptr;  // [taps][kTileRows]; those from row_count on repeat the last
  ptrdiff_t offset = 0;               // elements
  int64_t taps = 1;
  int64_t channels = 0;           // of the source, per tap
  const void* weights = nullptr;  // the first block, as weights_f32.h says
  ptrdiff_t block_bytes = 0;      // from one block to the next
  bool half_weights = false;      // float16, else float32
  int row_count = 0;
  int block_count = 0;
  float* sums = nullptr;  // [row_count][kTileColumns]
};

// float32 source, float32 arithmetic; float16 weights are widened as they are loaded.
void SumTileF32(const TileF32& tile);

// Depthwise: sums[r][b * 8 + i] = sum over t of rows[t][r][offset + b * 8 + i] * weights[b][t][i],
// for `channels` of them in all; nothing past the last channel is read.
void SumDepthwiseF32(const TileF32& tile);

// float16 source and weights, float16 arithmetic (FEAT_FP16). Sums of at most kHalfRun products are
// kept in float16, then added up in float32 and multiplied by the row's scale, a power of two.
void SumTileF16(const TileF32& tile, const float* row_scale);

// Products summed in float16 before they go to float32. Runs are made of whole pieces, a piece
// being up to kHalfRun neighbouring channels of one tap.
inline constexpr int64_t kHalfRun = 64;

// Whether a run of `length` products ends before a piece of `next`; 0 where nothing follows.
constexpr bool HalfRunEnds(int64_t length, int64_t next) {
  return next == 0 || length + next > kHalfRun;
}

}  // namespace fourfold::kernels::neon
