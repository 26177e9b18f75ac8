#include <dnnl.hpp>

#include "kernels/onednn/onednn.h"

namespace fourfold::kernels::onednn {
namespace {

dnnl::cpu_isa HighestIsa(CpuFeatures features) {
  if (features & kAmx) return dnnl::cpu_isa::avx512_core_amx;
  if (features & kAvx512Fp16) return dnnl::cpu_isa::avx512_core_fp16;
  if (features & kAvx512Bf16) return dnnl::cpu_isa::avx512_core_bf16;
  if (features & kAvx512Vnni) return dnnl::cpu_isa::avx512_core_vnni;
  if (features & kAvx512) return dnnl::cpu_isa::avx512_core;
  if (features & kAvxVnni) return dnnl::cpu_isa::avx2_vnni;
  if (features & kAvx2) return dnnl::cpu_isa::avx2;
  return dnnl::cpu_isa::sse41;
}

}  // namespace

bool LimitIsa(CpuFeatures features) {
  if (features == DetectCpuFeatures()) return true;
  return dnnl_set_max_cpu_isa(static_cast<dnnl_cpu_isa_t>(HighestIsa(features))) == dnnl_success;
}

std::string_view EffectiveIsa() {
  switch (dnnl::get_effective_cpu_isa()) {
    case dnnl::cpu_isa::isa_default: return "default";
    case dnnl::cpu_isa::sse41: return "sse41";
    case dnnl::cpu_isa::avx: return "avx";
    case dnnl::cpu_isa::avx2: return "avx2";
    case dnnl::cpu_isa::avx2_vnni: return "avx2_vnni";
    case dnnl::cpu_isa::avx2_vnni_2: return "avx2_vnni_2";
    case dnnl::cpu_isa::avx512_core: return "avx512_core";
    case dnnl::cpu_isa::avx512_core_vnni: return "avx512_core_vnni";
    case dnnl::cpu_isa::avx512_core_bf16: return "avx512_core_bf16";
    case dnnl::cpu_isa::avx512_core_fp16: return "avx512_core_fp16";
    case dnnl::cpu_isa::avx512_core_amx: return "avx512_core_amx";
    case dnnl::cpu_isa::avx512_core_amx_fp16: return "avx512_core_amx_fp16";
    default: return "avx10";
  }
}

bool HasExactIntegerProducts() {
  switch (dnnl::get_effective_cpu_isa()) {
    case dnnl::cpu_isa::isa_default:
    case dnnl::cpu_isa::sse41:
    case dnnl::cpu_isa::avx:
    case dnnl::cpu_isa::avx2:
    case dnnl::cpu_isa::avx512_core: return false;
    default: return true;
  }
}

}  // namespace fourfold::kernels::onednn
