#pragma once

#include <span>

#include "kernels/kernel.h"

namespace fourfold::kernels {

// Regions of interest pooled to one size each; float32, row-major.

// ONNX MaxRoiPool: rois are [batch index, x1, y1, x2, y2] in units of 1 / scale of src's pixels,
// ends included, rounded half away from zero. A bin without a pixel gives 0.
//
//   inputs   src [N, C, H, W], rois [R, 5]     outputs  dst [R, C, height, width]
// Reports a batch index outside of src as a fault; its region gives zeros.
struct MaxRegionsSpec {
  Dims src;
  Dims dst;
  float scale = 1.0f;
};

std::span<const Kernel<MaxRegionsSpec>> MaxRegionsKernels();

// ONNX RoiAlign: rois are [x1, y1, x2, y2] in units of 1 / scale of src's pixels. Each bin is the
// mean of bilinear samples on a regular grid in it, or the largest of their weighted neighbours
// (as ONNX Runtime: the maximum over w * pixel, not over samples).
//
//   inputs   src [N, C, H, W], rois [R, 4], batch indices [R] (int64)
//   outputs  dst [R, C, height, width]
// Reports as a fault, and gives zeros for: a batch index outside of src; a region that is not
// finite or longer than LongestRegion, so that none costs much more than one that covers the image.
struct AlignRegionsSpec {
  static constexpr int64_t kMaxSamples = 4096;  // greater `samples` are refused

  // Pixels along a dimension of so many.
  static constexpr int64_t LongestRegion(int64_t size) { return 4 * size + 64; }

  Dims src;
  Dims dst;
  float scale = 1.0f;
  bool maximum = false;
  bool half_pixel = true;  // pixel centres at 1/2; else at 0, and regions have at least one pixel
  int64_t samples = 0;     // along a bin; 0: one per pixel, rounded up
};

std::span<const Kernel<AlignRegionsSpec>> AlignRegionsKernels();

}  // namespace fourfold::kernels
