#pragma once

#include <cstddef>
#include <span>

#include "absl/status/statusor.h"
#include "server/graph/graph.h"
#include "server/graph/import_limits.h"

// TensorFlow Lite files to the graph; the only folder that knows the format.
//
// Layout: tensors keep the shapes of the file (images N,H,W,C). Windowed operators work on N,C,H,W
// in the graph, so they stand between Transpose nodes, of which passes/ leaves few; no bytes move
// where the plan stores images channels last anyway.
//
// Quantization: a tensor of 8 bits with a scale is what the file says it is for the caller, and
// inside the graph the real numbers scale * (stored - zero_point), written as Quantize and
// Dequantize nodes that passes/AbsorbQuantization turns into integer arithmetic, as it does with
// ONNX files. Convolutions and products with int8 weights and float inputs (dynamic range) get
// DynamicQuantize in front: one scale per sample, asymmetric, 8 bits.
//
// Rounding: results are Fourfold's (ARCHITECTURE.md, "int8 arithmetic"): the exact int32 sum is
// multiplied by a float and rounded once, half to even. TensorFlow Lite's reference multiplies by a
// 32-bit fixed-point number and rounds twice, its optimised kernels round once, half upwards. Where
// such roundings differ, an element of a layer's result is one step away from TensorFlow Lite's;
// following layers can carry the difference on. Biases count in input scale * weight scale, as in
// TensorFlow Lite's kernels, whatever scale the file states for them. In dynamic-range files
// TensorFlow Lite quantizes activations symmetrically, so results agree within that quantization.
//
// State: variable tensors (an LSTM's) begin at zero with every call; TensorFlow Lite keeps them
// between calls until it is told to reset them.
namespace fourfold::tflite {

// Whether the bytes begin like a TensorFlow Lite file; says nothing of the rest.
bool IsModel(std::span<const std::byte> file);

// Reads the main subgraph of a model of schema version 3. Shapes are inferred; unknown dimensions
// (shape_signature) stay unknown.
//   INVALID_ARGUMENT   not such a file, truncated, inconsistent, or over a limit; the message names
//                      operator and tensor
//   UNIMPLEMENTED      operators, options or element types we lack: all of them named at once, with
//                      an operator each
absl::StatusOr<graph::Graph> Import(std::span<const std::byte> file,
                                    const graph::ImportLimits& limits = {});

}  // namespace fourfold::tflite
