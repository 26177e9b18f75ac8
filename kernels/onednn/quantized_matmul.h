#pragma once

#include "kernels/quantized_matmul.h"

namespace fourfold::kernels::onednn {

// Where the CPU multiplies 8-bit integers exactly.
PreparedPtr PrepareQuantizedMatMul(const QuantizedMatMulSpec& spec, const PrepareContext& context);

}  // namespace fourfold::kernels::onednn
