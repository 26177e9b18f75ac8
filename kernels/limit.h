#pragma once

#include "kernels/cpu_features.h"

namespace fourfold::kernels {

// Keeps the engines, for the whole process, from instruction sets that `features` lacks; the tables
// are narrowed by PrepareContext::features. Called once, before the first kernel is prepared: false
// if it is too late for that.
bool LimitCpuFeatures(CpuFeatures features);

}  // namespace fourfold::kernels
