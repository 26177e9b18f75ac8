#pragma once

#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "server/graph/graph.h"
#include "server/quantize/observer.h"

namespace fourfold::quantize {

// The three ways of making an optimised float32 graph smaller. Each takes and returns a graph that
// computes the same function but for rounding.

// Weights of Conv, MatMul and Recurrent as float16. A constant that float16 cannot hold (over
// 65504) stays float32 and is named in `kept`.
graph::Graph ToFloat16(const graph::Graph& graph, std::vector<std::string>* kept);

// Weights as int8 per channel; activations in front of them quantized as they come, one scale per
// sample (TensorFlow Lite's dynamic range quantization, convolutions included).
graph::Graph ToHybrid(const graph::Graph& graph);

// Weights as int8 per channel and activations as uint8 with the scales that `ranges` imply, on
// every edge between operators that compute in integers. What a model answers with stays float32,
// and so does what only float operators read.
graph::Graph ToInt8(const graph::Graph& graph, const std::map<graph::ValueId, Range>& ranges);

// Scale and zero point of uint8 for a range, which is first widened to contain 0: the real number 0
// is stored exactly. An empty range gives scale 1.
kernels::QuantParams AffineParams(Range range);

}  // namespace fourfold::quantize
