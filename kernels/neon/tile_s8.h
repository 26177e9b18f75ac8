#pragma once

#include <cstdint>
#include <string_view>

namespace fourfold::kernels::neon {

// The inner loops of int8 matrix multiplication and convolution. A tile is up to 4 rows (output
// positions) by 16 columns (output channels) of int32 sums.
//
// Rows are given by pointers, so that a convolution needs no copy of its windows (the indirection
// of Dukhan, "The Indirect Convolution Algorithm", 2019): a window has `taps` pixels of `depth`
// channels each, a row of a matrix is one tap. Tile shapes and the order of weights follow those
// of XNNPACK (4x16c4 with SDOT, 4x16c8 with SMMLA) and ruy (4x4, 16 deep, without either).
inline constexpr int64_t kRowsS8 = 4;
inline constexpr int64_t kColumnsS8 = 16;

struct TileS8 {
  const uint8_t* const* rows;  // [taps][kRowsS8]; each is the first of `depth` bytes
  int64_t taps;                // at least 1
  int64_t depth;               // at least 1
  const int8_t* weights;       // kColumnsS8 columns in the kernel's WeightOrderS8
  int64_t columns;             // 1 to 16; the sums of others are left as they are or meaningless
  uint8_t flip;                // 128 for uint8 sources, 0 for int8: see Signed
  int32_t* sums;               // [rows][kColumnsS8]
};

// sums[r][c] = sum over taps t and depth k of signed(rows[t][r][k]) * weights[c][t][k], exact.
// Reads nothing behind the `depth` bytes of a row.
using SumTileS8 = void (*)(const TileS8&);

// In which order a kernel reads the weights of 16 columns: panels of `panel` columns; in a panel
// tap by tap; in a tap groups of `group` consecutive depths, column by column. The depth of each
// tap is filled up with zeros to a multiple of `step`; so the last group may be narrower.
struct WeightOrderS8 {
  int64_t panel;
  int64_t group;
  int64_t step;
};

struct TileKernelS8 {
  std::string_view name;  // "4x16c4_dot": rows x columns, consecutive depths of a column
  WeightOrderS8 order;
  // Two products of bytes, `group` / 2 apart, are added in 16 bits. They fit unless both weights
  // are -128, so such weights are not for this kernel.
  bool adds_pairs;
  SumTileS8 run[kRowsS8];  // for 1 to 4 rows
};

extern const TileKernelS8 kTileS8;      // NEON
extern const TileKernelS8 kTileS8Dot;   // and SDOT
extern const TileKernelS8 kTileS8I8mm;  // and SMMLA

}  // namespace fourfold::kernels::neon
