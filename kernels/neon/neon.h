#pragma once

#include "kernels/binary.h"
#include "kernels/convert.h"
#include "kernels/convolution.h"
#include "kernels/cpu_features.h"
#include "kernels/eltwise.h"
#include "kernels/kernel.h"
#include "kernels/matmul.h"
#include "kernels/quantize.h"
#include "kernels/softmax.h"

// The rows of the operations' tables for 64-bit ARM. A function's name ends in what it needs beyond
// NEON. Each returns null for a spec that it does not serve; the next row of the table then
// decides. Integer results are the reference's bytes. Prepared kernels are reentrant and allocate
// nothing in Run.
namespace fourfold::kernels::neon {

// Static and dynamic int8; convolutions channels-last, with up to 3 dimensions in space. Those
// without dot products refuse weights of -128 that they would have to add up in pairs.
PreparedPtr PrepareConvolutionS8(const ConvolutionSpec& spec, const PrepareContext& context);
PreparedPtr PrepareConvolutionS8Dot(const ConvolutionSpec& spec, const PrepareContext& context);
PreparedPtr PrepareConvolutionS8I8mm(const ConvolutionSpec& spec, const PrepareContext& context);
PreparedPtr PrepareMatMulS8(const MatMulSpec& spec, const PrepareContext& context);
PreparedPtr PrepareMatMulS8Dot(const MatMulSpec& spec, const PrepareContext& context);
PreparedPtr PrepareMatMulS8I8mm(const MatMulSpec& spec, const PrepareContext& context);

// As PrepareConvolutionS8, for one channel in and out of each group only, any window.
PreparedPtr PrepareDepthwiseS8(const ConvolutionSpec& spec, const PrepareContext& context);

// Float arithmetic with constant weights, float32 or float16; channels-last. Those named F16 sum in
// float16 and serve float16 weights only; a sample whose sums could overflow is summed in float32.
PreparedPtr PrepareConvolutionF32(const ConvolutionSpec& spec, const PrepareContext& context);
PreparedPtr PrepareConvolutionF16(const ConvolutionSpec& spec, const PrepareContext& context);
PreparedPtr PrepareMatMulF32(const MatMulSpec& spec, const PrepareContext& context);
PreparedPtr PrepareMatMulF16(const MatMulSpec& spec, const PrepareContext& context);

// Addition and multiplication of integers whose rows are neighbours or one repeated element.
PreparedPtr PrepareBinary(const BinarySpec& spec, const PrepareContext& context);

// Between float16 and float32.
PreparedPtr PrepareConvert(const ConvertSpec& spec, const PrepareContext& context);

PreparedPtr PrepareDequantize(const QuantizeSpec& spec, const PrepareContext& context);
PreparedPtr PrepareDynamicQuantize(const DynamicQuantizeSpec& spec, const PrepareContext& context);

// Tables, e^x, sigmoid, tanh, swish, elu.
PreparedPtr PrepareEltwise(const EltwiseSpec& spec, const PrepareContext& context);

PreparedPtr PrepareQuantize(const QuantizeSpec& spec, const PrepareContext& context);

// Along the last dimension.
PreparedPtr PrepareSoftmax(const SoftmaxSpec& spec, const PrepareContext& context);

}  // namespace fourfold::kernels::neon
