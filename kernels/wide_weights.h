#pragma once

#include "kernels/convolution.h"
#include "kernels/matmul.h"

// Rows of the tables of convolution and matrix product for weights with zero points: a stored byte
// minus its zero point is a number of nine bits, and fast kernels take eight. Of a tensor that was
// quantized with one zero point, as quantization-aware training with uint8 does, few numbers leave
// int8: one or two in a layer. So the product runs on the other rows with those numbers cut off,
// and the output channels that they belong to are computed again with all nine bits.
namespace fourfold::kernels::wide {

// Null without weights_zero_point, with a residual (dst could be its buffer), and where so many
// channels would be computed twice that the reference is no slower. Layouts of any kind.
PreparedPtr PrepareConvolution(const ConvolutionSpec& spec, const PrepareContext& context);

// The same; also null with transpose_lhs.
PreparedPtr PrepareMatMul(const MatMulSpec& spec, const PrepareContext& context);

}  // namespace fourfold::kernels::wide
