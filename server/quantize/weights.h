#pragma once

#include <vector>

#include "server/graph/graph.h"

namespace fourfold::quantize {

// int8 weights and how they are meant.
struct QuantizedWeights {
  graph::TensorPtr tensor;
  graph::Quantization quantization;  // along the channel axis, zero points 0
};

// Symmetric quantization per channel into [-127, 127]: scale = max |w| / 127, or larger where
// `least_scale` (one per channel, or empty) asks for it. A channel of zeros takes the largest scale
// of the others. The code -128 is left out because the range is then symmetric (no bias) and two
// products with 8-bit activations fit into 16 bits.
QuantizedWeights QuantizeWeights(const graph::Tensor& weights, int channel_axis,
                                 const std::vector<float>& least_scale = {});

// A MatMul of two computed operands that integer kernels take: float32, no bias, no residual.
bool IsProductOfValues(const graph::Graph& graph, const graph::Node& node);

// A Gather of rows of a float32 table that is worth storing as int8, a scale for each row: of at
// least kLeastTable elements, for a small one costs more time than it saves space.
inline constexpr int64_t kLeastTable = 16384;
bool IsEmbedding(const graph::Graph& graph, const graph::Node& node);

// The axis of the output channels of a Conv's, MatMul's or Recurrent's weights.
int WeightChannelAxis(const graph::Node& node);

// The inputs of such a node that are weights: 1, of a Recurrent also 2.
std::vector<size_t> WeightInputs(const graph::Node& node);

// True for a Conv or MatMul whose weights are a float32 constant of a rank that int8 kernels take,
// and whose bias, if there is one, is a constant per output channel; and for a Recurrent with two
// such weights, whatever its bias.
bool HasQuantizableWeights(const graph::Graph& graph, const graph::Node& node);

}  // namespace fourfold::quantize
