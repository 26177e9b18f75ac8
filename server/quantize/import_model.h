#pragma once

#include <cstddef>
#include <span>

#include "absl/status/statusor.h"
#include "server/graph/graph.h"
#include "server/graph/import_limits.h"
#include "server/onnx/external_data.h"

namespace fourfold::quantize {

// Reads a model file of any format that we know, told apart by its first bytes: TensorFlow Lite,
// else ONNX, whose external data `external` (may be null) opens. Where a model enters; what is
// stored of it is ONNX. Errors as the importers' (onnx::Import, tflite::Import).
absl::StatusOr<graph::Graph> ImportModel(std::span<const std::byte> file,
                                         const graph::ImportLimits& limits = {},
                                         onnx::ExternalData* external = nullptr);

}  // namespace fourfold::quantize
