#pragma once

#include <span>

#include "kernels/kernel.h"

namespace fourfold::kernels {

// A window of `count` numbers of `type`, with t = 2 pi i / N, N = count (periodic) or count - 1:
//   kHann     1/2 - 1/2 cos t
//   kHamming  25/46 - 21/46 cos t
//   kBlackman 0.42 - 0.5 cos t + 0.08 cos 2t
// A symmetric window of one element is 1.
//
//   inputs   none that are read        outputs  dst [count]
struct WindowSpec {
  enum class Kind : uint8_t { kHann, kHamming, kBlackman };
  Kind kind = Kind::kHann;
  ElementType type = ElementType::kFloat32;
  int64_t count = 0;
  bool periodic = true;
};

std::span<const Kernel<WindowSpec>> WindowKernels();

// Triangular filters that turn a spectrum into mel bands, as ONNX MelWeightMatrix: with
// mel(f) = 2595 log10(1 + f / 700), the bands' edges are at steps of (mel(upper) - mel(lower)) /
// (bands + 2) from mel(lower) on, rounded down to multiples of sample rate / (length + 1).
//
//   inputs   bands (not read), length, sample rate, lower, upper: one number each, of types[i]
//   outputs  dst [bins, bands]
struct MelWeightsSpec {
  std::vector<ElementType> types;  // of the five inputs
  ElementType type = ElementType::kFloat32;
  int64_t bins = 0;
  int64_t bands = 0;
};

std::span<const Kernel<MelWeightsSpec>> MelWeightsKernels();

// The discrete Fourier transform along the middle of an outer x axis x inner array of real numbers
// (complex = false) or of pairs of real and imaginary part, computed in double:
//   dst[w] = sum over t < length of src[t] exp(-2 pi i w t / length); inverse: exp(+...) / length
// src is cut or padded with zeros to `length` elements; the first `bins` results are stored, as
// pairs. `half` (complex and inverse): src is the first length / 2 + 1 elements, the others are the
// conjugates of those, so that the results are real and stored as real numbers.
//
//   inputs   src [outer, axis, inner, 1 or 2]        outputs  dst [outer, bins, inner, 2 (half: 1)]
struct FourierSpec {
  ElementType type = ElementType::kFloat32;
  int64_t outer = 1;
  int64_t axis = 1;
  int64_t inner = 1;
  bool complex = false;
  bool inverse = false;
  bool half = false;
  int64_t length = 1;
  int64_t bins = 1;
};

std::span<const Kernel<FourierSpec>> FourierKernels();

// Fourier transforms of overlapping frames: of signal[frame * step + t] * window[t], t < length.
//
//   inputs   signal [batch, samples, 1 or 2], step (not read), window [length] or null (all 1)
//   outputs  dst [batch, frames, bins, 2]
struct FramesSpec {
  ElementType type = ElementType::kFloat32;
  int64_t batch = 1;
  int64_t samples = 0;
  bool complex = false;
  int64_t step = 1;
  int64_t frames = 0;  // (frames - 1) * step + length <= samples
  int64_t length = 1;
  int64_t bins = 1;
};

std::span<const Kernel<FramesSpec>> FramesKernels();

}  // namespace fourfold::kernels
