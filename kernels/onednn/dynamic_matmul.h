#pragma once

#include <memory>

#include "kernels/matmul.h"
#include "kernels/onednn/primitive.h"

namespace fourfold::kernels::onednn {

// A dynamically quantized matrix product: `product` makes the exact int32 sums of the whole batch,
// with no regard to zero points, then each row is finished with its sample's scale and zero point.
// A row's result is therefore the same bytes in any batch.
PreparedPtr MakeDynamicMatMul(const MatMulSpec& spec,
                              std::unique_ptr<const CompiledPrimitive> product,
                              PackedConstant weights);

}  // namespace fourfold::kernels::onednn
