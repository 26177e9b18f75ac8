#pragma once

#include <optional>

#include "absl/status/statusor.h"
#include "server/graph/graph.h"

namespace fourfold::graph {

// Evaluates one node whose inputs are all constants, without a plan: what constant folding needs.
// Covers data movement, casts, element-wise and binary arithmetic, reductions and (de)quantization
// of weights; nothing for other operations, for non-constant inputs and for results over
// `max_bytes`.
std::optional<std::vector<TensorPtr>> EvaluateConstant(const Graph& graph, const Node& node,
                                                       size_t max_bytes = size_t{64} << 20);

// Whether evaluating the node would lose how a constant is stored compactly (integers behind
// Quantize or Dequantize, float16 behind Cast). Folding leaves those to passes/absorb_quantization.
bool UnpacksStoredConstant(const Graph& graph, const Node& node);

}  // namespace fourfold::graph
