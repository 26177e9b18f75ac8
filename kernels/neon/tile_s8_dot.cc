#include <arm_neon.h>

#include "kernels/neon/bytes.h"
#include "kernels/neon/tile_s8.h"

// 4x16 sums at once: each SDOT adds four products to each of four columns' sums, taking the row's
// four bytes from a lane. 64 SDOT and 20 loads make 1,024 products.
namespace fourfold::kernels::neon {
namespace {

// `Quads` groups of four columns.
template <int Rows, int Quads>
struct Sums {
  int32x4_t of[Rows][Quads];
};

// Four depths, those of `Lane` in values.
template <int Lane, int Rows, int Quads>
FOURFOLD_LOCAL void AddFour(const int8x16_t* values, const int8_t* weights,
                            Sums<Rows, Quads>& sums) {
  int8x16_t w[Quads];  // all loaded before the first is needed
  for (int q = 0; q < Quads; ++q) w[q] = vld1q_s8(weights + Lane * 64 + 16 * q);
  for (int q = 0; q < Quads; ++q) {
    for (int r = 0; r < Rows; ++r) {
      sums.of[r][q] = vdotq_laneq_s32(sums.of[r][q], w[q], values[r], Lane);
    }
  }
}

template <int Rows, int Quads>
void SumColumns(const TileS8& args) {
  const uint8x16_t flip = vdupq_n_u8(args.flip);
  Sums<Rows, Quads> sums;
  for (auto& row : sums.of) {
    for (int32x4_t& sum : row) sum = vdupq_n_s32(0);
  }
  int8x16_t values[Rows];
  const int8_t* weights = args.weights;
  for (int64_t tap = 0; tap < args.taps; ++tap) {
    const uint8_t* row[Rows];
    for (int r = 0; r < Rows; ++r) row[r] = args.rows[tap * kRowsS8 + r];
    int64_t left = args.depth;
    for (; left >= 16; left -= 16, weights += 16 * kColumnsS8) {
      for (int r = 0; r < Rows; ++r) {
        values[r] = Signed(vld1q_u8(row[r]), flip);
        row[r] += 16;
      }
      AddFour<0>(values, weights, sums);
      AddFour<1>(values, weights, sums);
      AddFour<2>(values, weights, sums);
      AddFour<3>(values, weights, sums);
    }
    if (left == 0) continue;
    for (int r = 0; r < Rows; ++r) values[r] = Signed(LoadPart(row[r], left), flip);
    AddFour<0>(values, weights, sums);
    if (left > 4) AddFour<1>(values, weights, sums);
    if (left > 8) AddFour<2>(values, weights, sums);
    if (left > 12) AddFour<3>(values, weights, sums);
    weights += (left + 3) / 4 * 4 * kColumnsS8;
  }
  for (int r = 0; r < Rows; ++r) {
    for (int q = 0; q < Quads; ++q) {
      vst1q_s32(args.sums + r * kColumnsS8 + 4 * q, sums.of[r][q]);
    }
  }
}

template <int Rows>
void SumTile(const TileS8& args) {
  if (args.columns > 8) {
    SumColumns<Rows, 4>(args);
  } else {
    SumColumns<Rows, 2>(args);
  }
}

}  // namespace

const TileKernelS8 kTileS8Dot = {"4x16c4_dot",
                                 {.panel = kColumnsS8, .group = 4, .step = 4},
                                 /*adds_pairs=*/false,
                                 {&SumTile<1>, &SumTile<2>, &SumTile<3>, &SumTile<4>}};

}  // namespace fourfold::kernels::neon
