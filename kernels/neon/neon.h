#pragma once

#include "kernels/convolution.h"
#include "kernels/cpu_features.h"
#include "kernels/kernel.h"
#include "kernels/matmul.h"

// The rows of the operations' tables for 64-bit ARM. A function's name ends in what it needs beyond
// NEON. Each returns null for a spec that it does not serve; the next row of the table then
// decides. Integer results are the reference's bytes. Prepared kernels are reentrant and allocate
// nothing in Run.
namespace fourfold::kernels::neon {

// Float arithmetic with constant weights, float32 or float16; channels-last. Those named F16 sum in
// float16 and serve float16 weights only; a sample whose sums could overflow is summed in float32.
PreparedPtr PrepareConvolutionF32(const ConvolutionSpec& spec, const PrepareContext& context);
PreparedPtr PrepareConvolutionF16(const ConvolutionSpec& spec, const PrepareContext& context);
PreparedPtr PrepareMatMulF32(const MatMulSpec& spec, const PrepareContext& context);
PreparedPtr PrepareMatMulF16(const MatMulSpec& spec, const PrepareContext& context);

}  // namespace fourfold::kernels::neon
