#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "kernels/cpu_features.h"

namespace fourfold::tools {

// Reads a --cpu_features flag ("" is native) and keeps the engines to it. Before any kernel is
// prepared.
absl::StatusOr<kernels::CpuFeatures> ApplyCpuFlag(const std::string& text);

}  // namespace fourfold::tools
