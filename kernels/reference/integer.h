#pragma once

#include "kernels/integer.h"

namespace fourfold::kernels::reference {

PreparedPtr PrepareIntegerConvolution(const IntegerConvolutionSpec& spec,
                                      const PrepareContext& context);
PreparedPtr PrepareIntegerMatMul(const IntegerMatMulSpec& spec, const PrepareContext& context);

}  // namespace fourfold::kernels::reference
