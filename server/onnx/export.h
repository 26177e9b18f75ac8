#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string>

#include "absl/status/statusor.h"
#include "server/graph/graph.h"

namespace fourfold::onnx {

// Where the elements of constants go. A model whose constants together have more than
// `constant_bytes_max` bytes keeps the larger ones in a file beside its own (ONNX external data),
// because protobuf has no messages of 2 GiB and builds whole ones in memory.
struct ExportOptions {
  size_t constant_bytes_max = size_t{1} << 30;  // inside the model's own file
  size_t external_tensor_bytes_min = 1024;      // smaller ones stay inside
  std::string data_location;                    // the other file's name, as the model gives it
  // Appends to the other file; called only if it is needed. null: there is none, and the model has
  // to fit into one file.
  std::function<absl::Status(std::span<const std::byte>)> append_data;
};

// Writes the graph as a standard ONNX file (opset 13, or the oldest newer one that has all of its
// operations) that other runtimes read:
// fused activations, biases and residuals become nodes of their own again; an activation-quantized
// value becomes QuantizeLinear + DequantizeLinear behind its producer; a quantized constant is
// stored as integers behind DequantizeLinear; a float16 constant is stored behind Cast; a
// per-sample DynamicQuantize becomes DynamicQuantizeLinear + DequantizeLinear. Importing the result
// and optimising it gives a graph that computes the same.
//   RESOURCE_EXHAUSTED   the model's own file would have 2 GiB or more
//   errors of append_data
absl::StatusOr<std::string> Export(const graph::Graph& graph, const ExportOptions& options = {});

}  // namespace fourfold::onnx
