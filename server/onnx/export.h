#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "server/graph/graph.h"

namespace fourfold::onnx {

// Writes the graph as a standard ONNX file (opset 13, or the oldest newer one that has all of its
// operations) that other runtimes read:
// fused activations, biases and residuals become nodes of their own again; an activation-quantized
// value becomes QuantizeLinear + DequantizeLinear behind its producer; a quantized constant is
// stored as integers behind DequantizeLinear; a float16 constant is stored behind Cast; a
// per-sample DynamicQuantize becomes DynamicQuantizeLinear + DequantizeLinear. Importing the result
// and optimising it gives a graph that computes the same.
absl::StatusOr<std::string> Export(const graph::Graph& graph);

}  // namespace fourfold::onnx
