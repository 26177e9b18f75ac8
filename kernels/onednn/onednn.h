#pragma once

#include <string_view>

#include "kernels/binary.h"
#include "kernels/convolution.h"
#include "kernels/cpu_features.h"
#include "kernels/eltwise.h"
#include "kernels/kernel.h"
#include "kernels/matmul.h"
#include "kernels/pooling.h"
#include "kernels/softmax.h"

// The rows of the operations' tables that oneDNN computes (x86-64). Each function returns null for
// a spec that oneDNN has no fast implementation for, or none that keeps the operation's contract;
// the next row of the table then decides. Nothing here throws. Prepared kernels are reentrant.
namespace fourfold::kernels::onednn {

// float32, static and dynamic int8; integers channels-last only.
PreparedPtr PrepareConvolution(const ConvolutionSpec& spec, const PrepareContext& context);

// float32, static and dynamic int8.
PreparedPtr PrepareMatMul(const MatMulSpec& spec, const PrepareContext& context);

// float32, and the maximum of 8-bit integers.
PreparedPtr PreparePooling(const PoolingSpec& spec, const PrepareContext& context);

// float32; not tables.
PreparedPtr PrepareEltwise(const EltwiseSpec& spec, const PrepareContext& context);

// float32, one operand of dst's dims, the other of equal dims or broadcast; not kPow.
PreparedPtr PrepareBinary(const BinarySpec& spec, const PrepareContext& context);

PreparedPtr PrepareSoftmax(const SoftmaxSpec& spec, const PrepareContext& context);

// Keeps oneDNN, for the whole process, from instruction sets that `features` lacks. All that this
// CPU has is no limit (ONEDNN_MAX_CPU_ISA of the environment still is one). False if the library no
// longer takes it, because a kernel was prepared before or one of the functions below was called.
bool LimitIsa(CpuFeatures features);

// The best instruction set that oneDNN uses here: "avx512_core_bf16". Fixes the limit.
std::string_view EffectiveIsa();

// Whether oneDNN multiplies 8-bit integers without saturating at 16 bits. Fixes the limit.
bool HasExactIntegerProducts();

}  // namespace fourfold::kernels::onednn
