#pragma once

#include "kernels/convolution.h"
#include "kernels/cpu_features.h"
#include "kernels/kernel.h"
#include "kernels/matmul.h"

// The rows of the operations' tables for 64-bit ARM. A function's name ends in what it needs beyond
// NEON. Each returns null for a spec that it does not serve; the next row of the table then
// decides. Integer results are the reference's bytes. Prepared kernels are reentrant and allocate
// nothing in Run.
namespace fourfold::kernels::neon {}  // namespace fourfold::kernels::neon
