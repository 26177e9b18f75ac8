#pragma once

#include <span>

#include "kernels/kernel.h"

namespace fourfold::kernels {

// ONNX GridSample: dst[n, c, position] is src[n, c] at the point that grid names, float32,
// row-major, two or three dimensions of space. A grid's coordinates are x, y(, z), -1 to 1 over
// the image: to the pixels' centres where corners are aligned, else to their outer edges.
//   kNearest  the nearest pixel, halves to even
//   kLinear   between the 2^d pixels around the point
//   kCubic    between 4 x 4 pixels, coefficient -0.75; two dimensions only
// Pixels outside are 0 (kZeros), those at the border (kBorder), or mirrored (kReflection). A
// coordinate that is not a number counts as -1.
//
//   inputs   src [N, C, (D,) H, W], grid [N, (D',) H', W', 2 or 3]
//   outputs  dst [N, C, (D',) H', W']
struct GridSampleSpec {
  enum class Mode : uint8_t { kLinear, kNearest, kCubic };
  enum class Padding : uint8_t { kZeros, kBorder, kReflection };
  Mode mode = Mode::kLinear;
  Padding padding = Padding::kZeros;
  bool align_corners = false;
  Dims src;
  Dims dst;
};

std::span<const Kernel<GridSampleSpec>> GridSampleKernels();

}  // namespace fourfold::kernels
