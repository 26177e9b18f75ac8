#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "server/graph/graph.h"
#include "server/tflite/model_file.h"

namespace fourfold::tflite {

// A tensor of the file in our terms. Borrows the file.
struct TensorInfo {
  std::string name;
  graph::DataType type = graph::DataType::kFloat32;
  std::optional<graph::Shape> shape;                // as the file says; nothing: not even the rank
  std::optional<graph::Quantization> quantization;  // of 8-bit and 32-bit integers
  std::span<const std::byte> data;                  // of a constant, row-major; else empty
  bool is_constant = false;
  bool is_variable = false;  // state of an operator

  // Integers that stand for real numbers.
  bool quantized() const {
    return quantization && (type == graph::DataType::kInt8 || type == graph::DataType::kUint8);
  }
  std::optional<size_t> rank() const {
    return shape ? std::optional<size_t>(shape->size()) : std::nullopt;
  }

  // The constant's elements, optionally with its dimensions permuted: result dimension d is
  // dimension permutation[d] of the file. Requires is_constant.
  graph::TensorPtr Constant(const std::vector<int64_t>& permutation = {}) const;
};

// "tensor 5 "name"", for messages; also for indices out of range.
std::string TensorText(const ModelFile& file, int index);

// INVALID_ARGUMENT: an index out of range, dimensions, sizes or quantization that do not fit,
// limits. UNIMPLEMENTED: element types and ways of storing that we lack.
absl::StatusOr<TensorInfo> ReadTensor(const ModelFile& file, int index,
                                      const graph::ImportLimits& limits);

// Null for the types that we lack.
std::optional<graph::DataType> ElementTypeOf(schema::TensorType type);

}  // namespace fourfold::tflite
