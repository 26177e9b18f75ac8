#pragma once

#include <array>
#include <span>

#include "kernels/kernel.h"

namespace fourfold::kernels {

// dst[i] = value, `count` elements of element_bytes (1, 2, 4 or 8), which stand first in `value`.
//
//   inputs   none that are read        outputs  dst
struct FillSpec {
  size_t element_bytes = 4;
  int64_t count = 0;
  std::array<unsigned char, 8> value{};
};

std::span<const Kernel<FillSpec>> FillKernels();

// dst[i] = start + i * delta, computed in `type` (16-bit floats in float32; integers in two's
// complement).
//
//   inputs   start, limit (not read), delta: one element each        outputs  dst
struct RangeSpec {
  ElementType type = ElementType::kFloat32;
  int64_t count = 0;
};

std::span<const Kernel<RangeSpec>> RangeKernels();

// dst[r][c] = 1 where c = r + diagonal, else 0.
//
//   inputs   none that are read        outputs  dst
struct EyeSpec {
  ElementType type = ElementType::kFloat32;
  int64_t rows = 0;
  int64_t columns = 0;
  int64_t diagonal = 0;
};

std::span<const Kernel<EyeSpec>> EyeKernels();

}  // namespace fourfold::kernels
