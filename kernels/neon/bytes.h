#pragma once

#include <arm_neon.h>

#include <cstdint>
#include <cstring>

namespace fourfold::kernels::neon {

// The functions of this file are compiled once in each file that includes it, with that file's
// instruction set.
#define FOURFOLD_LOCAL [[maybe_unused]] static inline __attribute__((always_inline))

// The first `count` (1 to 15) bytes at `from`, then zeros. Reads no byte behind them: loads overlap
// instead, and what they have in common is the same in both.
FOURFOLD_LOCAL uint8x16_t LoadPart(const uint8_t* from, int64_t count) {
  uint64_t low = 0, high = 0;
  if (count >= 8) {
    std::memcpy(&low, from, 8);
    if (count > 8) {
      std::memcpy(&high, from + count - 8, 8);
      high >>= 8 * (16 - count);
    }
  } else if (count >= 4) {
    uint32_t first = 0, last = 0;
    std::memcpy(&first, from, 4);
    std::memcpy(&last, from + count - 4, 4);
    low = first | static_cast<uint64_t>(last) << (8 * (count - 4));
  } else {
    low = from[0] | static_cast<uint64_t>(from[count / 2]) << (8 * (count / 2)) |
          static_cast<uint64_t>(from[count - 1]) << (8 * (count - 1));
  }
  return vcombine_u8(vcreate_u8(low), vcreate_u8(high));
}

// Source bytes made signed: uint8 with its highest bit flipped, int8 with nothing flipped.
FOURFOLD_LOCAL int8x16_t Signed(uint8x16_t bytes, uint8x16_t flip) {
  return vreinterpretq_s8_u8(veorq_u8(bytes, flip));
}

}  // namespace fourfold::kernels::neon
