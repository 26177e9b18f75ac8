#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace fourfold::kernels {

// Instruction sets that kernels ask for, one bit each.
using CpuFeatures = uint32_t;

inline constexpr CpuFeatures kNoFeatures = 0;
inline constexpr CpuFeatures kAvx2 = 1u << 0;        // with FMA and F16C
inline constexpr CpuFeatures kAvx512 = 1u << 1;      // F, BW, DQ, VL
inline constexpr CpuFeatures kAvx512Vnni = 1u << 2;  // int8 dot products, no 16-bit saturation
inline constexpr CpuFeatures kAvx512Bf16 = 1u << 3;
inline constexpr CpuFeatures kAvx512Fp16 = 1u << 4;
inline constexpr CpuFeatures kAvxVnni = 1u << 5;
inline constexpr CpuFeatures kAmx = 1u << 6;  // tiles, int8 and bfloat16
inline constexpr CpuFeatures kNeon = 1u << 16;
inline constexpr CpuFeatures kNeonDot = 1u << 17;
inline constexpr CpuFeatures kNeonI8mm = 1u << 18;
inline constexpr CpuFeatures kNeonFp16 = 1u << 19;

// What this CPU and its operating system offer. Thread-safe, computed once.
CpuFeatures DetectCpuFeatures();

// The outcome of reading a --cpu_features flag: `features` is meaningful only where `error` is
// empty.
struct ParsedCpuFeatures {
  CpuFeatures features = kNoFeatures;
  std::string error;  // what, got and wanted
};

// Reads "native", "reference" (none) or a level: avx2, avx512, avx512_vnni, avx512_bf16,
// avx512_fp16, amx, neon, dotprod, i8mm, fp16. A level includes the ones below it; what `available`
// lacks is an error.
ParsedCpuFeatures ParseCpuFeatures(std::string_view text, CpuFeatures available);

// The highest level of a set: "avx512_vnni", "reference" for none.
std::string_view CpuLevelName(CpuFeatures features);

}  // namespace fourfold::kernels
