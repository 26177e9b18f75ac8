#include "server/tools/cpu_flag.h"

#include "absl/strings/str_cat.h"
#include "kernels/limit.h"

namespace fourfold::tools {

absl::StatusOr<kernels::CpuFeatures> ApplyCpuFlag(const std::string& text) {
  const kernels::CpuFeatures native = kernels::DetectCpuFeatures();
  const kernels::ParsedCpuFeatures parsed =
      kernels::ParseCpuFeatures(text.empty() ? "native" : text, native);
  if (!parsed.error.empty()) return absl::InvalidArgumentError("--cpu_features: " + parsed.error);
  if (!kernels::LimitCpuFeatures(parsed.features)) {
    return absl::InternalError("--cpu_features: kernels were prepared before the limit was set");
  }
  return parsed.features;
}

}  // namespace fourfold::tools
