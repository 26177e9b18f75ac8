#pragma once

#include <span>

#include "kernels/kernel.h"

namespace fourfold::kernels {

// ONNX Resize over any dimensions; kNearest for elements of any type, kLinear and kCubic for
// float32. src and dst have the same type and layout. Source coordinate of output x: see
// Coordinates.
//
//   inputs   src        outputs  dst
struct ResizeSpec {
  enum class Mode : uint8_t { kNearest, kLinear, kCubic };
  enum class Coordinates : uint8_t {
    kHalfPixel,              // (x + 1/2) / scale - 1/2
    kPytorchHalfPixel,       // the same, 0 where the output has length 1
    kAlignCorners,           // x (in - 1) / (scale in - 1), 0 where the output has length 1
    kAsymmetric,             // x / scale
    kHalfPixelSymmetric,     // kHalfPixel about the centre: + in/2 (1 - out / (scale in))
    kTfCropAndResize,        // (start + x (end - start) / (out - 1)) (in - 1), the middle for out 1
    kTfHalfPixelForNearest,  // (x + 1/2) / scale
  };
  enum class Nearest : uint8_t { kRoundPreferFloor, kRoundPreferCeil, kFloor, kCeil };
  Mode mode = Mode::kNearest;
  Coordinates coordinates = Coordinates::kHalfPixel;
  Nearest nearest = Nearest::kRoundPreferFloor;
  TensorSpec src;
  TensorSpec dst;
  std::vector<float> scales;  // one per dimension
  // kTfCropAndResize, one per dimension: the region in units of in - 1. What lies outside of the
  // image is `extrapolation_value` (float32 only).
  std::vector<float> starts;
  std::vector<float> ends;
  float extrapolation_value = 0.0f;
  float cubic_coefficient = -0.75f;  // kCubic: Keys' a
  bool exclude_outside = false;      // weights outside of the image are 0, the others sum to 1
  bool antialias = false;            // kLinear, kCubic: the filter widens where scale < 1
};

std::span<const Kernel<ResizeSpec>> ResizeKernels();

}  // namespace fourfold::kernels
