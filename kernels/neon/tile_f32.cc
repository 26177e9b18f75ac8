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

template <int kRows, typename W>
FOURFOLD_INLINE void SumDepthwise(const TileF32& tile, int block, int64_t lanes) {
  const W* weights = reinterpret_cast<const W*>(static_cast<const std::byte*>(tile.weights) +
                                                block * tile.block_bytes);
  float32x4_t low[kRows], high[kRows];
  Each<kRows>(FOURFOLD_EACH(r) { low[r] = high[r] = vdupq_n_f32(0.0f); });
  const ptrdiff_t first = tile.offset + block * kBlockWidth;
  for (int64_t tap = 0; tap < tile.taps; ++tap, weights += kBlockWidth) {
    const Columns w = Load(weights);
    Each<kRows>(FOURFOLD_EACH(r) {
      const float* from = static_cast<const float*>(tile.rows[tap * kTileRows + r]) + first;
      const Columns x = LoadSome(from, lanes);
      low[r] = vfmaq_f32(low[r], x.low, w.low);
      high[r] = vfmaq_f32(high[r], x.high, w.high);
    });
  }
  Each<kRows>(FOURFOLD_EACH(r) {
    if (r >= tile.row_count) return;
    float* to = tile.sums + r * kTileColumns + block * kBlockWidth;
    vst1q_f32(to, low[r]);
    vst1q_f32(to + 4, high[r]);
  });
}

template <typename W>
void SumDepthwiseBlocks(const TileF32& tile) {
  for (int b = 0; b < tile.block_count; ++b) {
    const int64_t lanes = tile.channels - b * kBlockWidth;
    if (tile.row_count == 1) {
      SumDepthwise<1, W>(tile, b, lanes);
    } else if (tile.row_count <= 4) {
      SumDepthwise<4, W>(tile, b, lanes);
    } else if (lanes >= kBlockWidth) {
      SumDepthwise<kTileRows, W>(tile, b, kBlockWidth);  // a constant: no test in the loop
    } else {
      SumDepthwise<kTileRows, W>(tile, b, lanes);
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
