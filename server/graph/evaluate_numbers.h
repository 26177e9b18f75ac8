#pragma once

#include <functional>
#include <span>
#include <vector>

#include "server/graph/graph.h"

namespace fourfold::graph {

// What is done with whole constants beside the operations that have kernels, for EvaluateConstant
// and for passes that rewrite weights. Results are null for types that are not covered. Shapes have
// been checked by the caller.

std::span<const std::byte> BytesOf(const Tensor& tensor);

// Calls visit(index) for each index of an array in row-major order.
void ForEachIndex(const Shape& shape,
                  const std::function<void(const std::vector<int64_t>&)>& visit);

// result[i] = tensor[offset + sum i * strides], counted in elements.
TensorPtr GatherStrided(const Tensor& tensor, const Shape& shape,
                        const std::vector<int64_t>& strides, int64_t offset);

// Strides that read an array of shape `from` as if it were broadcast to `to`.
std::vector<int64_t> BroadcastStrides(const Shape& from, const Shape& to);

// As kernels/convert.h, between any types.
TensorPtr CastNumbers(const Tensor& x, DataType to);

// As kernels/quantize.h; to and from int8 and uint8, from int32 too.
TensorPtr QuantizeTensor(const Tensor& x, DataType to, const Quantization& how);
TensorPtr DequantizeTensor(const Tensor& x, const Quantization& how);

// The elements of an int8 or uint8 tensor within [low, high].
TensorPtr ClipIntegers(const Tensor& x, float low, float high);

}  // namespace fourfold::graph
