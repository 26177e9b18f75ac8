#include "server/registry/load_version.h"

#include "absl/strings/str_cat.h"
#include "server/base/file.h"
#include "server/base/status_macros.h"
#include "server/onnx/external_data.h"
#include "server/registry/load_variant.h"

namespace fourfold::registry {
namespace {

telemetry::VariantFigures FiguresOf(const report::Variant& variant) {
  telemetry::VariantFigures figures;
  figures.file_bytes = variant.size.file_bytes;
  figures.weight_bytes = variant.size.weight_bytes;
  figures.resident_bytes = variant.size.resident_bytes;
  figures.latency_p50_seconds = variant.latency.p50_ms / 1000;
  figures.latency_p90_seconds = variant.latency.p90_ms / 1000;
  figures.latency_p99_seconds = variant.latency.p99_ms / 1000;
  figures.speedup = variant.versus_fp32.speedup;
  figures.size_ratio = variant.versus_fp32.size_ratio;
  figures.is_default = variant.is_default;
  if (variant.labelled) figures.top1 = variant.labelled->top1;
  if (variant.fidelity) {
    figures.agreement = variant.fidelity->top1_agreement;
    figures.sqnr_db = variant.fidelity->sqnr_db;
  }
  return figures;
}

// The files of a version as its variants name them: each is checked when it is opened.
class StoredData final : public onnx::ExternalData {
 public:
  StoredData(const store::ModelStore& store, const store::Manifest& manifest)
      : store_(store), manifest_(manifest) {}

  absl::StatusOr<onnx::ExternalFile> Open(const std::string& location) override {
    if (manifest_.File(location) == nullptr) {
      return absl::DataLossError(absl::StrCat("the version has no file ", location));
    }
    ASSIGN_OR_RETURN(base::MappedFile mapped, store_.MapFile(manifest_, location));
    const auto owner = std::make_shared<const base::MappedFile>(std::move(mapped));
    opened_.push_back(owner);
    return onnx::ExternalFile{owner, owner->bytes()};
  }

  // Weights that were packed are not read again.
  void DropPages() const {
    for (const auto& file : opened_) file->DropPages();
  }

 private:
  const store::ModelStore& store_;
  const store::Manifest& manifest_;
  std::vector<std::shared_ptr<const base::MappedFile>> opened_;
};

}  // namespace

std::string VariantFileName(absl::string_view variant) { return absl::StrCat(variant, ".onnx"); }

std::string DataFileName(absl::string_view variant) {
  return absl::StrCat(VariantFileName(variant), ".data");
}

absl::StatusOr<std::shared_ptr<const ModelVersion>> LoadVersion(
    const store::ModelStore& store, const std::string& model, int64_t version,
    const runtime::ModelOptions& options, telemetry::Metrics* metrics) {
  auto loaded = std::make_shared<ModelVersion>();
  ASSIGN_OR_RETURN(loaded->manifest, store.ReadManifest(model, version));
  loaded->model = model;
  loaded->version = version;
  loaded->created_unix_ms = loaded->manifest.created_unix_ms;
  ASSIGN_OR_RETURN(loaded->report, report::FromJson(loaded->manifest.report_json));
  for (const report::Variant& entry : loaded->report.variants) {
    const std::string file = VariantFileName(entry.variant);
    ASSIGN_OR_RETURN(const base::MappedFile mapped, store.MapFile(loaded->manifest, file));
    StoredData external(store, loaded->manifest);
    auto runnable = LoadVariant(mapped.bytes(), options, &external);
    if (!runnable.ok()) {
      return absl::Status(runnable.status().code(), absl::StrCat("variant ", entry.variant, ": ",
                                                                 runnable.status().message()));
    }
    external.DropPages();
    auto variant = std::make_shared<Variant>();
    variant->name = entry.variant;
    variant->model = *std::move(runnable);
    if (variant->model->batchable()) {
      variant->stacked = std::make_shared<runtime::StackedPlans>(*variant->model);
    }
    variant->figures = entry;
    variant->file = *loaded->manifest.File(file);
    if (const auto* data = loaded->manifest.File(DataFileName(entry.variant))) {
      variant->data_file = *data;
    }
    if (metrics)
      variant->series = metrics->ForVariant({model, version, entry.variant}, FiguresOf(entry));
    loaded->variants.push_back(std::move(variant));
  }
  if (loaded->variants.empty()) {
    return absl::DataLossError(
        absl::StrCat("model ", model, " version ", version, ": its report names no variant"));
  }
  return std::shared_ptr<const ModelVersion>(std::move(loaded));
}

}  // namespace fourfold::registry
