#pragma once

#include "server/graph/graph.h"

namespace fourfold::quantize {

// Models that come quantized: imported with their scales and zero points.

// Whether some Conv or MatMul multiplies 8-bit activations of fixed scales with 8-bit weights.
bool IsQuantized(const graph::Graph& graph);

// Whether some Conv or MatMul quantizes its activations as they come.
bool IsDynamicallyQuantized(const graph::Graph& graph);

// The float32 function that a quantized graph approximates: quantization without its rounding.
// Weights and biases are the numbers that their integers mean. Where an activation was quantized it
// is cut off to the range that the integers can represent: quantization-aware training and
// converters leave it to that range to be a ReLU or ReLU6, so without it the function would be
// another one. What the caller feeds and reads keeps its type.
graph::Graph ToFloat32(const graph::Graph& graph);

}  // namespace fourfold::quantize
