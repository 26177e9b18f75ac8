#include "server/quantize/import_model.h"

#include "server/onnx/import.h"
#include "server/tflite/import.h"

namespace fourfold::quantize {

absl::StatusOr<graph::Graph> ImportModel(std::span<const std::byte> file,
                                         const graph::ImportLimits& limits,
                                         onnx::ExternalData* external) {
  return tflite::IsModel(file) ? tflite::Import(file, limits)
                               : onnx::Import(file, limits, external);
}

}  // namespace fourfold::quantize
