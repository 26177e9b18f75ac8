#include "kernels/cpu_features.h"

#include <array>

#if defined(__x86_64__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#elif defined(__aarch64__)
#include <sys/auxv.h>
#endif

namespace fourfold::kernels {
namespace {

struct Level {
  std::string_view name;
  CpuFeatures features;
};

constexpr CpuFeatures kVnniLevel = kAvx2 | kAvx512 | kAvx512Vnni;
constexpr CpuFeatures kFp16Level = kVnniLevel | kAvx512Bf16 | kAvx512Fp16;

// Lowest first, one ladder for each architecture. kNeonFp16 is independent of the dot products.
constexpr std::array kLevels = {
    Level{"reference", kNoFeatures},
    Level{"avx2", kAvx2},
    Level{"avx512", kAvx2 | kAvx512},
    Level{"avx512_vnni", kVnniLevel},
    Level{"avx512_bf16", kVnniLevel | kAvx512Bf16},
    Level{"avx512_fp16", kFp16Level},
    Level{"amx", kFp16Level | kAmx},
    Level{"neon", kNeon},
    Level{"fp16", kNeon | kNeonFp16},
    Level{"dotprod", kNeon | kNeonDot},
    Level{"i8mm", kNeon | kNeonDot | kNeonI8mm},
};

#if defined(__x86_64__)
// Linux gives a process the AMX tiles only on request; threads started later inherit them.
bool RequestAmxTiles() {
  constexpr long kRequestPermission = 0x1023;  // ARCH_REQ_XCOMP_PERM
  constexpr long kTileData = 18;               // XFEATURE_XTILEDATA
  return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
}

CpuFeatures Detect() {
  CpuFeatures features = kNoFeatures;
  __builtin_cpu_init();
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  const bool f16c = __get_cpuid(1, &eax, &ebx, &ecx, &edx) != 0 && (ecx >> 29 & 1u) != 0;
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma") || !f16c) return features;
  features |= kAvx2;
  unsigned leaf7_edx = 0, leaf7_1_eax = 0, leaf7_ecx = 0;
  if (__get_cpuid_count(7, 0, &eax, &ebx, &leaf7_ecx, &leaf7_edx) == 0) return features;
  const unsigned last_subleaf = eax;
  if (last_subleaf >= 1) __get_cpuid_count(7, 1, &leaf7_1_eax, &ebx, &ecx, &edx);
  if ((leaf7_1_eax >> 4 & 1u) != 0) features |= kAvxVnni;
  if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw") ||
      !__builtin_cpu_supports("avx512dq") || !__builtin_cpu_supports("avx512vl")) {
    return features;
  }
  features |= kAvx512;
  if ((leaf7_ecx >> 11 & 1u) != 0) features |= kAvx512Vnni;
  if ((leaf7_1_eax >> 5 & 1u) != 0) features |= kAvx512Bf16;
  if ((leaf7_edx >> 23 & 1u) != 0) features |= kAvx512Fp16;
  const bool tiles = (leaf7_edx >> 24 & 1u) != 0;
  const bool tile_int8 = (leaf7_edx >> 25 & 1u) != 0;
  const bool tile_bf16 = (leaf7_edx >> 22 & 1u) != 0;
  if (tiles && tile_int8 && tile_bf16 && RequestAmxTiles()) features |= kAmx;
  return features;
}
#elif defined(__aarch64__)
CpuFeatures Detect() {
  const unsigned long capabilities = getauxval(AT_HWCAP);
  const unsigned long capabilities2 = getauxval(AT_HWCAP2);
  CpuFeatures features = kNoFeatures;
  if ((capabilities >> 1 & 1u) == 0) return features;  // HWCAP_ASIMD
  features |= kNeon;
  if ((capabilities >> 10 & 1u) != 0) features |= kNeonFp16;   // HWCAP_ASIMDHP
  if ((capabilities >> 20 & 1u) != 0) features |= kNeonDot;    // HWCAP_ASIMDDP
  if ((capabilities2 >> 13 & 1u) != 0) features |= kNeonI8mm;  // HWCAP2_I8MM
  return features;
}
#else
CpuFeatures Detect() { return kNoFeatures; }
#endif

std::string LevelNames() {
  std::string names = "native";
  for (const Level& level : kLevels) names.append(", ").append(level.name);
  return names;
}

}  // namespace

CpuFeatures DetectCpuFeatures() {
  static const CpuFeatures features = Detect();
  return features;
}

ParsedCpuFeatures ParseCpuFeatures(std::string_view text, CpuFeatures available) {
  if (text == "native") return {available, ""};
  for (const Level& level : kLevels) {
    if (level.name != text) continue;
    if ((level.features & available) != level.features) {
      return {kNoFeatures, "cpu features: this CPU does not offer \"" + std::string(text) +
                               "\"; the highest level here is \"" +
                               std::string(CpuLevelName(available)) + "\""};
    }
    return {level.features, ""};
  }
  return {kNoFeatures, "cpu features: unknown level \"" + std::string(text) + "\", wanted one of " +
                           LevelNames()};
}

std::string_view CpuLevelName(CpuFeatures features) {
  std::string_view name = kLevels.front().name;
  for (const Level& level : kLevels) {
    if ((level.features & features) == level.features) name = level.name;
  }
  return name;
}

}  // namespace fourfold::kernels
