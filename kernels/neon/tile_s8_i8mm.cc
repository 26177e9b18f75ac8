#include <arm_neon.h>

#include "kernels/neon/bytes.h"
#include "kernels/neon/tile_s8.h"

// 4x16 sums at once: each SMMLA multiplies two rows by two columns, 8 deep. 32 SMMLA, 20 loads and
// 4 ZIP make 1,024 products.
namespace fourfold::kernels::neon {
namespace {

// [2 rows][2 columns] each, of `Pairs` pairs of columns.
template <int RowPairs, int Pairs>
struct Sums {
  int32x4_t of[RowPairs][Pairs];
};

// Depths 0 to 7 or 8 to 15 of two rows side by side.
FOURFOLD_LOCAL int8x16_t Halves(int8x16_t upper, int8x16_t lower, bool second) {
  const int64x2_t u = vreinterpretq_s64_s8(upper), l = vreinterpretq_s64_s8(lower);
  return vreinterpretq_s8_s64(second ? vzip2q_s64(u, l) : vzip1q_s64(u, l));
}

template <int RowPairs, int Pairs>
FOURFOLD_LOCAL void AddEight(const int8x16_t* values, bool second, const int8_t* weights,
                             Sums<RowPairs, Pairs>& sums) {
  int8x16_t rows[RowPairs];
  for (int r = 0; r < RowPairs; ++r) rows[r] = Halves(values[2 * r], values[2 * r + 1], second);
  for (int p = 0; p < Pairs; ++p) {
    const int8x16_t w = vld1q_s8(weights + 16 * p);
    for (int r = 0; r < RowPairs; ++r) sums.of[r][p] = vmmlaq_s32(sums.of[r][p], rows[r], w);
  }
}

template <int Rows, int Pairs>
void SumColumns(const TileS8& args) {
  constexpr int kRowPairs = (Rows + 1) / 2;
  const uint8x16_t flip = vdupq_n_u8(args.flip);
  Sums<kRowPairs, Pairs> sums;
  for (auto& row : sums.of) {
    for (int32x4_t& sum : row) sum = vdupq_n_s32(0);
  }
  int8x16_t values[2 * kRowPairs];
  for (int8x16_t& value : values) value = vdupq_n_s8(0);  // the last may have no row
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
      AddEight(values, false, weights, sums);
      AddEight(values, true, weights + 8 * kColumnsS8, sums);
    }
    if (left == 0) continue;
    for (int r = 0; r < Rows; ++r) values[r] = Signed(LoadPart(row[r], left), flip);
    AddEight(values, false, weights, sums);
    if (left > 8) AddEight(values, true, weights + 8 * kColumnsS8, sums);
    weights += (left + 7) / 8 * 8 * kColumnsS8;
  }
  for (int r = 0; r < Rows; ++r) {
    for (int p = 0; p < Pairs; p += 2) {
      const int64x2_t one = vreinterpretq_s64_s32(sums.of[r / 2][p]);
      const int64x2_t two = vreinterpretq_s64_s32(sums.of[r / 2][p + 1]);
      vst1q_s32(args.sums + r * kColumnsS8 + 2 * p,
                vreinterpretq_s32_s64(r % 2 == 0 ? vzip1q_s64(one, two) : vzip2q_s64(one, two)));
    }
  }
}

template <int Rows>
void SumTile(const TileS8& args) {
  if (args.columns > 8) {
    SumColumns<Rows, 8>(args);
  } else {
    SumColumns<Rows, 4>(args);
  }
}

}  // namespace

const TileKernelS8 kTileS8I8mm = {"4x16c8_i8mm",
                                  {.panel = kColumnsS8, .group = 8, .step = 8},
                                  /*adds_pairs=*/false,
                                  {&SumTile<1>, &SumTile<2>, &SumTile<3>, &SumTile<4>}};

}  // namespace fourfold::kernels::neon
