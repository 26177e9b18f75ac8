#pragma once

#include <array>
#include <span>

#include "kernels/kernel.h"

namespace fourfold::kernels {

// Pads or crops (negative pads) each dimension: dst.dims[i] = begin[i] + src.dims[i] + end[i].
// src and dst have the same type and layout. Where one end is cropped and the other padded, what is
// repeated comes from what the cropping leaves.
//
//   inputs   src        outputs  dst
struct PadSpec {
  enum class Mode : uint8_t { kConstant, kReflect, kEdge, kWrap };
  Mode mode = Mode::kConstant;
  TensorSpec src;
  TensorSpec dst;
  Dims begin;
  std::array<std::byte, 8> value{};  // kConstant: one element's bytes
};

std::span<const Kernel<PadSpec>> PadKernels();

}  // namespace fourfold::kernels
