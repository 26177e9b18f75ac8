// Compiled for FEAT_FP16; reached only where the CPU has it.

#include <arm_neon.h>

#include "kernels/neon/tile_f32.h"
#include "kernels/neon/unroll.h"

namespace fourfold::kernels::neon {
namespace {

// sum += w * x[kLane]. In assembler, because GCC copies an element that is used more than once into
// a whole register first. Only the first sixteen registers can give an element of 16 bits.
template <int kLane>
FOURFOLD_INLINE void Fma(float16x8_t& sum, float16x8_t w, float16x8_t x) {
  asm("fmla %0.8h, %1.8h, %2.h[%3]" : "+w"(sum) : "w"(w), "x"(x), "i"(kLane));
}

// One block of columns per register. Adds channel `kLane` of eight.
template <int kLane, int kRows, int kBlocks>
FOURFOLD_INLINE void AddLane(float16x8_t (&sums)[kBlocks][kRows], const float16x8_t (&x)[kRows],
                             const float16_t* const (&weights)[kBlocks], int64_t at) {
  Each<kBlocks>(FOURFOLD_EACH(b) {
    const float16x8_t w = vld1q_f16(weights[b] + at);
    Each<kRows>(FOURFOLD_EACH(r) { Fma<kLane>(sums[b][r], w, x[r]); });
  });
}

// Adds the run's sums, in float16, to those in float32.
template <int kRows, int kBlocks>
FOURFOLD_INLINE void EndRun(float16x8_t (&sums)[kBlocks][kRows], float* totals) {
  Each<kBlocks>(FOURFOLD_EACH(b) {
    Each<kRows>(FOURFOLD_EACH(r) {
      float* to = totals + r * kTileColumns + b * kBlockWidth;
      vst1q_f32(to, vaddq_f32(vld1q_f32(to), vcvt_f32_f16(vget_low_f16(sums[b][r]))));
      vst1q_f32(to + 4, vaddq_f32(vld1q_f32(to + 4), vcvt_high_f32_f16(sums[b][r])));
      sums[b][r] = vdupq_n_f16(0);
    });
  });
}

template <int kRows, int kBlocks>
void Sum(const TileF32& tile, int first_block, float* totals) {
  float16x8_t sums[kBlocks][kRows];
  const float16_t* weights[kBlocks];
  Each<kBlocks>(FOURFOLD_EACH(b) {
    weights[b] = reinterpret_cast<const float16_t*>(static_cast<const std::byte*>(tile.weights) +
                                                    (first_block + b) * tile.block_bytes);
    Each<kRows>(FOURFOLD_EACH(r) { sums[b][r] = vdupq_n_f16(0); });
  });
  int64_t at = 0;   // in each block
  int64_t run = 0;  // products since the last EndRun
  for (int64_t tap = 0; tap < tile.taps; ++tap) {
    const float16_t* from[kRows];
    Each<kRows>(FOURFOLD_EACH(r) {
      from[r] = static_cast<const float16_t*>(tile.rows[tap * kTileRows + r]) + tile.offset;
    });
    const int64_t after_tap = tap + 1 < tile.taps ? tile.channels : 0;
    for (int64_t c = 0; c < tile.channels;) {
      const int64_t end = c + kHalfRun < tile.channels ? c + kHalfRun : tile.channels;
      run += end - c;
      for (; c + 8 <= end; c += 8, at += 8 * kBlockWidth) {
        float16x8_t x[kRows];
        Each<kRows>(FOURFOLD_EACH(r) { x[r] = vld1q_f16(from[r] + c); });
        Each<8>(FOURFOLD_EACH(lane) { AddLane<lane>(sums, x, weights, at + lane * kBlockWidth); });
      }
      for (; c < end; ++c, at += kBlockWidth) {
        float16x8_t x[kRows];
        Each<kRows>(FOURFOLD_EACH(r) { x[r] = vld1q_dup_f16(from[r] + c); });
        AddLane<0>(sums, x, weights, at);
      }
      const int64_t left = end < tile.channels ? tile.channels - end : after_tap;
      if (HalfRunEnds(run, left < kHalfRun ? left : kHalfRun)) {
        EndRun(sums, totals + first_block * kBlockWidth);
        run = 0;
      }
    }
  }
}

}  // namespace

void SumTileF16(const TileF32& tile, const float* row_scale) {
  float totals[kTileRows * kTileColumns] = {};
  int b = 0;
  if (tile.row_count == 1) {
    for (; b + 4 <= tile.block_count; b += 4) Sum<1, 4>(tile, b, totals);
    for (; b < tile.block_count; ++b) Sum<1, 1>(tile, b, totals);
  } else if (tile.row_count <= 4) {
    for (; b + 4 <= tile.block_count; b += 4) Sum<4, 4>(tile, b, totals);
    for (; b < tile.block_count; ++b) Sum<4, 1>(tile, b, totals);
  } else {
    for (; b + 2 <= tile.block_count; b += 2) Sum<8, 2>(tile, b, totals);
    for (; b < tile.block_count; ++b) Sum<8, 1>(tile, b, totals);
  }
  for (int r = 0; r < tile.row_count; ++r) {
    const float32x4_t scale = vdupq_n_f32(row_scale[r]);
    for (int i = r * kTileColumns; i < (r + 1) * kTileColumns; i += 4) {
      vst1q_f32(tile.sums + i, vmulq_f32(vld1q_f32(totals + i), scale));
    }
  }
}

}  // namespace fourfold::kernels::neon
