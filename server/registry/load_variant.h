#pragma once

#include <memory>
#include <span>

#include "absl/status/statusor.h"
#include "server/onnx/external_data.h"
#include "server/runtime/model.h"

namespace fourfold::registry {

// An ONNX file, and the files beside it that `external` (may be null) opens, as something that can
// be run: imported, optimised, its plan for batch 1 compiled and run once on zeros, so that the
// first request finds everything in place. A model whose shapes are not known but for the batch is
// not warmed. Errors as onnx::Import, passes::Optimize, runtime::CompilePlan.
absl::StatusOr<std::unique_ptr<const runtime::Model>> LoadVariant(
    std::span<const std::byte> onnx, const runtime::ModelOptions& options,
    onnx::ExternalData* external = nullptr);

}  // namespace fourfold::registry
