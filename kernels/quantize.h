#pragma once

#include <span>

#include "kernels/arithmetic.h"
#include "kernels/kernel.h"

namespace fourfold::kernels {

// float32 <-> 8 bits, outer x channels x inner elements, one scale and zero point per channel
// (channels 1: per tensor). As ONNX QuantizeLinear and DequantizeLinear:
//   quantize    dst = saturate(round(src / scale) + zero_point)
//   dequantize  dst = (src - zero_point) * scale        (also from int32)
//
//   inputs   src        outputs  dst
//            computed: also scale float32[channels] and zero point[channels] in the 8-bit or 32-bit
//            type, which may be null: all 0
struct QuantizeSpec {
  int64_t outer = 1;
  int64_t channels = 1;
  int64_t inner = 1;
  ElementType src_type = ElementType::kFloat32;
  ElementType dst_type = ElementType::kUint8;
  std::vector<QuantParams> params;  // [channels]; empty where they are computed
  bool computed = false;
};

std::span<const Kernel<QuantizeSpec>> QuantizeKernels();
std::span<const Kernel<QuantizeSpec>> DequantizeKernels();

// Dynamic quantization of each sample by itself, as ONNX DynamicQuantizeLinear over one sample:
//   low = min(0, min src), high = max(0, max src), scale = (high - low) / 255 (1 where both are 0),
//   zero_point = saturate(round(-low / scale)), dst = saturate(round(src / scale) + zero_point)
// NaN elements are ignored for the range and become the zero point.
//
//   inputs   src float32[samples, elements]        outputs  dst uint8, QuantParams[samples]
struct DynamicQuantizeSpec {
  int64_t samples = 1;
  int64_t elements = 0;
};

std::span<const Kernel<DynamicQuantizeSpec>> DynamicQuantizeKernels();

}  // namespace fourfold::kernels
