#pragma once

#include <span>

#include "kernels/kernel.h"

namespace fourfold::kernels {

// ONNX Resize over any dimensions; kNearest for 1-, 2- and 4-byte elements, kLinear for float32.
// src and dst have the same type and layout. Source coordinate of output x: see Coordinates.
//
//   inputs   src        outputs  dst
struct ResizeSpec {
  enum class Mode : uint8_t { kNearest, kLinear };
  enum class Coordinates : uint8_t {
    kHalfPixel,         // (x + 1/2) / scale - 1/2
    kPytorchHalfPixel,  // the same, 0 where the output has length 1
    kAlignCorners,      // x (in - 1) / (out - 1)
    kAsymmetric,        // x / scale
  };
  enum class Nearest : uint8_t { kRoundPreferFloor, kRoundPreferCeil, kFloor, kCeil };
  Mode mode = Mode::kNearest;
  Coordinates coordinates = Coordinates::kHalfPixel;
  Nearest nearest = Nearest::kRoundPreferFloor;
  TensorSpec src;
  TensorSpec dst;
  std::vector<float> scales;  // one per dimension
};

std::span<const Kernel<ResizeSpec>> ResizeKernels();

}  // namespace fourfold::kernels
