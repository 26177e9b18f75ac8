#include "kernels/neon/tile_s8.h"

#include <arm_neon.h>

#include "kernels/neon/bytes.h"

// 4x4 sums at once, 16 deep: SMULL and SMLAL2 add two products in 16 bits, SADALP adds neighbours
// to 32 bits. 48 instructions and 8 loads make 256 products.
namespace fourfold::kernels::neon {
namespace {

constexpr int64_t kPanel = 4;

template <int Rows>
struct Sums {
  int32x4_t of[Rows][kPanel];  // four partial sums each
};

// In each step all rows do the same, so that processors that execute in order need not wait for one
// row's result before they begin the next row's.
template <int Rows>
FOURFOLD_LOCAL void AddSixteen(const int8x16_t* values, const int8_t* weights, Sums<Rows>& sums) {
  for (int c = 0; c < kPanel; ++c) {
    const int8x16_t w = vld1q_s8(weights + 16 * c);
    int16x8_t pairs[Rows];
    for (int r = 0; r < Rows; ++r) pairs[r] = vmull_s8(vget_low_s8(values[r]), vget_low_s8(w));
    for (int r = 0; r < Rows; ++r) pairs[r] = vmlal_high_s8(pairs[r], values[r], w);
    for (int r = 0; r < Rows; ++r) sums.of[r][c] = vpadalq_s16(sums.of[r][c], pairs[r]);
  }
}

template <int Rows>
FOURFOLD_LOCAL void AddEight(const int8x16_t* values, const int8_t* weights, Sums<Rows>& sums) {
  for (int c = 0; c < kPanel; ++c) {
    const int8x8_t w = vld1_s8(weights + 8 * c);
    for (int r = 0; r < Rows; ++r) {
      sums.of[r][c] = vpadalq_s16(sums.of[r][c], vmull_s8(vget_low_s8(values[r]), w));
    }
  }
}

// Returns the weights behind the panel's.
template <int Rows>
const int8_t* SumPanel(const TileS8& args, const int8_t* weights, int32_t* to) {
  const uint8x16_t flip = vdupq_n_u8(args.flip);
  Sums<Rows> sums;
  for (auto& row : sums.of) {
    for (int32x4_t& sum : row) sum = vdupq_n_s32(0);
  }
  int8x16_t values[Rows];
  for (int64_t tap = 0; tap < args.taps; ++tap) {
    const uint8_t* row[Rows];
    for (int r = 0; r < Rows; ++r) row[r] = args.rows[tap * kRowsS8 + r];
    int64_t left = args.depth;
    for (; left >= 16; left -= 16, weights += kPanel * 16) {
      for (int r = 0; r < Rows; ++r) {
        values[r] = Signed(vld1q_u8(row[r]), flip);
        row[r] += 16;
      }
      AddSixteen<Rows>(values, weights, sums);
    }
    if (left == 0) continue;
    for (int r = 0; r < Rows; ++r) values[r] = Signed(LoadPart(row[r], left), flip);
    if (left > 8) {
      AddSixteen<Rows>(values, weights, sums);
      weights += kPanel * 16;
    } else {
      AddEight<Rows>(values, weights, sums);
      weights += kPanel * 8;
    }
  }
  for (int r = 0; r < Rows; ++r) {
    vst1q_s32(to + r * kColumnsS8, vpaddq_s32(vpaddq_s32(sums.of[r][0], sums.of[r][1]),
                                              vpaddq_s32(sums.of[r][2], sums.of[r][3])));
  }
  return weights;
}

template <int Rows>
void SumTile(const TileS8& args) {
  const int8_t* weights = args.weights;
  for (int64_t column = 0; column < args.columns; column += kPanel) {
    weights = SumPanel<Rows>(args, weights, args.sums + column);
  }
}

}  // namespace

const TileKernelS8 kTileS8 = {"4x4c16",
                              {.panel = kPanel, .group = 16, .step = 8},
                              /*adds_pairs=*/true,
                              {&SumTile<1>, &SumTile<2>, &SumTile<3>, &SumTile<4>}};

}  // namespace fourfold::kernels::neon
