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

// Constants behind Quantize, Dequantize or Cast from float16: stored as they are where a consumer
// reads them so, else unpacked to float32.
absl::Status AbsorbConstants(graph::Graph& graph);

// Quantize + Dequantize with constant parameters on computed values.
absl::Status AbsorbActivations(graph::Graph& graph);

// DynamicQuantize + Dequantize in front of a Conv or MatMul with int8 weights.
absl::Status AbsorbDynamic(graph::Graph& graph);

}  // namespace fourfold::passes
