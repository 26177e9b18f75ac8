#include "kernels/neon/tile_f32.h"

#include <arm_neon.h>

#include "kernels/neon/unroll.h"

namespace fourfold::kernels::neon {
namespace {

// Eight columns of weights.
struct Columns {
  float32x4_t low, high;
};
FOURFOLD_INLINE Columns Load(const float* weights) {
  return {vld1q_f32(weights), vld1q_f32(weights + 4)};
}
FOURFOLD_INLINE Columns Load(const float16_t* weights) {
  const float16x8_t half = vld1q_f16(weights);
  return {vcvt_f32_f16(vget_low_f16(half)), vcvt_high_f32_f16(half)};
}

template <int kRows, int kBlocks>
struct Sums {
  float32x4_t low[kBlocks][kRows];
  float32x4_t high[kBlocks][kRows];
};

// Adds channel `kLane` of four: x holds four channels of each row.
template <int kLane, int kRows, int kBlocks, typename W>
FOURFOLD_INLINE void AddLane(Sums<kRows, kBlocks>& sums, const float32x4_t (&x)[kRows],
                             const W* const (&weights)[kBlocks], int64_t at) {
  Each<kBlocks>(FOURFOLD_EACH(b) {
    const Columns w = Load(weights[b] + at);
    Each<kRows>(FOURFOLD_EACH(r) {
      sums.low[b][r] = vfmaq_laneq_f32(sums.low[b][r], w.low, x[r], kLane);
      sums.high[b][r] = vfmaq_laneq_f32(sums.high[b][r], w.high, x[r], kLane);
    });
  });
}

template <int kRows, int kBlocks, typename W>
void Sum(const TileF32& tile, int first_block) {
  Sums<kRows, kBlocks> sums;
  const W* weights[kBlocks];
  Each<kBlocks>(FOURFOLD_EACH(b) {
    weights[b] = reinterpret_cast<const W*>(static_cast<const std::byte*>(tile.weights) +
                                            (first_block + b) * tile.block_bytes);
    Each<kRows>(FOURFOLD_EACH(r) { sums.low[b][r] = sums.high[b][r] = vdupq_n_f32(0.0f); });
  });
  int64_t at = 0;  // in each block
  for (int64_t tap = 0; tap < tile.taps; ++tap) {
    const float* from[kRows];
    Each<kRows>(FOURFOLD_EACH(r) {
      from[r] = static_cast<const float*>(tile.rows[tap * kTileRows + r]) + tile.offset;
    });
    int64_t c = 0;
    for (; c + 4 <= tile.channels; c += 4, at += 4 * kBlockWidth) {
      float32x4_t x[kRows];
      Each<kRows>(FOURFOLD_EACH(r) { x[r] = vld1q_f32(from[r] + c); });
      AddLane<0>(sums, x, weights, at);
      AddLane<1>(sums, x, weights, at + kBlockWidth);
      AddLane<2>(sums, x, weights, at + 2 * kBlockWidth);
      AddLane<3>(sums, x, weights, at + 3 * kBlockWidth);
    }
    for (; c < tile.channels; ++c, at += kBlockWidth) {
      float32x4_t x[kRows];
      Each<kRows>(FOURFOLD_EACH(r) { x[r] = vld1q_dup_f32(from[r] + c); });
      AddLane<0>(sums, x, weights, at);
    }
  }
  Each<kRows>(FOURFOLD_EACH(r) {
    if (r >= tile.row_count) return;
    float* to = tile.sums + r * kTileColumns + first_block * kBlockWidth;
    Each<kBlocks>(FOURFOLD_EACH(b) {
      vst1q_f32(to + b * kBlockWidth, sums.low[b][r]);
      vst1q_f32(to + b * kBlockWidth + 4, sums.high[b][r]);
    });
  });
}

template <typename W>
void SumBlocks(const TileF32& tile) {
  int b = 0;
  if (tile.row_count == 1) {
    for (; b + 4 <= tile.block_count; b += 4) Sum<1, 4, W>(tile, b);
    for (; b < tile.block_count; ++b) Sum<1, 1, W>(tile, b);
  } else if (tile.row_count <= 4) {
    for (; b + 2 <= tile.block_count; b += 2) Sum<4, 2, W>(tile, b);
    for (; b < tile.block_count; ++b) Sum<4, 1, W>(tile, b);
  } else {
    for (; b < tile.block_count; ++b) Sum<8, 1, W>(tile, b);
  }
}

// The lowest `lanes` of eight floats, the others 0.
FOURFOLD_INLINE Columns LoadSome(const float* from, int64_t lanes) {
  if (lanes >= kBlockWidth) return Load(from);
  float some[kBlockWidth] = {};
  for (int64_t i = 0; i < lanes; ++i) some[i] = from[i];
  return Load(some);
}

// Rows [first_row, first_row + kRows) of kBlocks blocks, of which the last has `lanes` channels.
template <int kRows, int kBlocks, typename W>
FOURFOLD_INLINE void SumDepthwise(const TileF32& tile, int first_row, int block, int64_t lanes) {
  const W* weights[kBlocks];
  float32x4_t low[kBlocks][kRows], high[kBlocks][kRows];
  Each<kBlocks>(FOURFOLD_EACH(b) {
    weights[b] = reinterpret_cast<const W*>(static_cast<const std::byte*>(tile.weights) +
                                            (block + b) * tile.block_bytes);
    Each<kRows>(FOURFOLD_EACH(r) { low[b][r] = high[b][r] = vdupq_n_f32(0.0f); });
  });
  const ptrdiff_t first = tile.offset + block * kBlockWidth;
  const void* const* rows = tile.rows + first_row;
  for (int64_t tap = 0; tap < tile.taps; ++tap, rows += kTileRows) {
    Columns w[kBlocks];
    Each<kBlocks>(FOURFOLD_EACH(b) { w[b] = Load(weights[b] + tap * kBlockWidth); });
    Each<kRows>(FOURFOLD_EACH(r) {
      const float* from = static_cast<const float*>(rows[r]) + first;
      Each<kBlocks>(FOURFOLD_EACH(b) {
        const Columns x = LoadSome(from + b * kBlockWidth, b + 1 < kBlocks ? kBlockWidth : lanes);
        low[b][r] = vfmaq_f32(low[b][r], x.low, w[b].low);
        high[b][r] = vfmaq_f32(high[b][r], x.high, w[b].high);
      });
    });
  }
  Each<kRows>(FOURFOLD_EACH(r) {
    if (first_row + r >= tile.row_count) return;
    float* to = tile.sums + (first_row + r) * kTileColumns + block * kBlockWidth;
    Each<kBlocks>(FOURFOLD_EACH(b) {
      vst1q_f32(to + b * kBlockWidth, low[b][r]);
      vst1q_f32(to + b * kBlockWidth + 4, high[b][r]);
    });
  });
}

template <typename W>
void SumDepthwiseBlocks(const TileF32& tile) {
  for (int first_row = 0; first_row < tile.row_count; first_row += 4) {
    int b = 0;
    for (; b + 2 <= tile.block_count && tile.channels >= (b + 2) * kBlockWidth; b += 2) {
      SumDepthwise<4, 2, W>(tile, first_row, b, kBlockWidth);
    }
    for (; b < tile.block_count; ++b) {
      const int64_t lanes = tile.channels - b * kBlockWidth;
      if (lanes >= kBlockWidth) {
        SumDepthwise<4, 1, W>(tile, first_row, b, kBlockWidth);  // a constant: not looked at
      } else {
        SumDepthwise<4, 1, W>(tile, first_row, b, lanes);
      }
    }
  }
}

}  // namespace

void SumTileF32(const TileF32& tile) {
  tile.half_weights ? SumBlocks<float16_t>(tile) : SumBlocks<float>(tile);
}

void SumDepthwiseF32(const TileF32& tile) {
  tile.half_weights ? SumDepthwiseBlocks<float16_t>(tile) : SumDepthwiseBlocks<float>(tile);
}

}  // namespace fourfold::kernels::neon
