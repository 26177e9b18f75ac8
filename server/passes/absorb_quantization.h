#pragma once

#include <optional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/graph/graph.h"

namespace fourfold::passes {

// The steps of AbsorbQuantization; internal to this folder.

// Scale and zero point of an imported Quantize or Dequantize, if they are constants and fit input
// 0; nothing otherwise. INVALID_ARGUMENT for a scale that is negative or not finite.
absl::StatusOr<std::optional<graph::Quantization>> ConstantQuantization(const graph::Graph& graph,
                                                                        const graph::Node& node);

// An operation on stored 8-bit integers that means the same on the real numbers they stand for
// (data movement, maximum, Clip), between Quantize and Dequantize, becomes one on real numbers
// between a Dequantize and a Quantize of its own.
absl::Status LiftIntegers(graph::Graph& graph);

// Constants behind Quantize, Dequantize or Cast from float16: stored as they are where a consumer
// reads them so, else unpacked to float32.
absl::Status AbsorbConstants(graph::Graph& graph);

// Quantize + Dequantize with constant parameters on computed values.
absl::Status AbsorbActivations(graph::Graph& graph);

// What only moves elements, or takes their maximum, passes quantization on: to its result, and to
// what it reads. Exact, and what reads or makes the values then does so as integers.
absl::Status SpreadQuantization(graph::Graph& graph);

// MatMulInteger and ConvInteger of what DynamicQuantizeLinear stored, scaled afterwards, become
// MatMul and Conv behind Dequantize.
absl::Status RecognizeDynamic(graph::Graph& graph);

// Whether the node that computes a real value may write it as integers instead.
bool MayWriteIntegers(const graph::Node& node);

// DynamicQuantize + Dequantize in front of a Conv or MatMul with 8-bit weights.
absl::Status AbsorbDynamic(graph::Graph& graph);

}  // namespace fourfold::passes
