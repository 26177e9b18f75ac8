#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "server/report/report.h"
#include "server/runtime/model.h"
#include "server/runtime/stacked_plans.h"
#include "server/store/manifest.h"
#include "server/telemetry/metrics.h"

namespace fourfold::registry {

// One variant that can be run. Immutable; shared by the registry and the requests in flight.
struct Variant {
  std::string name;  // "int8"
  std::shared_ptr<const runtime::Model> model;
  std::shared_ptr<runtime::StackedPlans> stacked;  // null: requests run one by one
  report::Variant figures;                         // as measured when it was made
  store::StoredFile file;
  std::optional<store::StoredFile> data_file;  // beside it, with the larger weights
  int64_t file_bytes() const { return file.bytes + (data_file ? data_file->bytes : 0); }
  std::shared_ptr<telemetry::VariantSeries> series;  // null: not counted
};

// One version of a model with its variants, at least one. Immutable.
struct ModelVersion {
  std::string model;
  int64_t version = 0;
  int64_t created_unix_ms = 0;
  store::Manifest manifest;
  report::Report report;
  std::vector<std::shared_ptr<const Variant>> variants;  // in the report's order

  // null if there is none of that name.
  std::shared_ptr<const Variant> Find(absl::string_view variant) const;
  // The report's default, else the first.
  const std::shared_ptr<const Variant>& Default() const;
};

}  // namespace fourfold::registry
