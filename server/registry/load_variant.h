#pragma once

#include <memory>
#include <span>

#include "absl/status/statusor.h"
#include "server/runtime/model.h"

namespace fourfold::registry {

// An ONNX file as something that can be run: imported, optimised, its plan for batch 1 compiled and
// run once on zeros, so that the first request finds everything in place. A model whose shapes are
// not known but for the batch is not warmed. Errors as onnx::Import, passes::Optimize,
// runtime::CompilePlan.
absl::StatusOr<std::unique_ptr<const runtime::Model>> LoadVariant(
    std::span<const std::byte> onnx, const runtime::ModelOptions& options);

}  // namespace fourfold::registry
