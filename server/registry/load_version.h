#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "server/registry/model_version.h"
#include "server/store/model_store.h"

namespace fourfold::registry {

// The version's file of a variant: "int8.onnx".
std::string VariantFileName(absl::string_view variant);

// The file beside it that keeps the larger weights of a large variant: "int8.onnx.data".
std::string DataFileName(absl::string_view variant);

// Reads a version from the store, checks its files and loads its variants. `metrics` may be null,
// else it outlives the result. DATA_LOSS, NOT_FOUND as ModelStore; others as LoadVariant.
absl::StatusOr<std::shared_ptr<const ModelVersion>> LoadVersion(
    const store::ModelStore& store, const std::string& model, int64_t version,
    const runtime::ModelOptions& options, telemetry::Metrics* metrics);

}  // namespace fourfold::registry
