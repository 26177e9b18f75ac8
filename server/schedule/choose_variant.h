#pragma once

#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "server/registry/model_version.h"

namespace fourfold::schedule {

enum class Preference { kUnspecified, kLatency, kAccuracy, kSize };

// "latency", "accuracy" or "size"; INVALID_ARGUMENT otherwise.
absl::StatusOr<Preference> ParsePreference(absl::string_view text);

// What a request says about the variant that is to answer it. All by the figures measured at
// publishing.
struct VariantWish {
  std::string variant;                   // by name; the rest is then not looked at
  std::optional<double> max_latency_ms;  // p99 of one execution at batch 1
  std::optional<double> min_agreement;   // with fp32, 0 to 1
  Preference prefer = Preference::kUnspecified;
};

// Without a wish the model's default variant. With bounds: of the variants that keep them the one
// preferred; without a preference the default if it keeps them, else the most accurate within a
// latency, the fastest within an agreement.
//   NOT_FOUND            no variant of that name; names those there are
//   FAILED_PRECONDITION  no variant keeps the bounds; says how near the best come
absl::StatusOr<std::shared_ptr<const registry::Variant>> ChooseVariant(
    const registry::ModelVersion& version, const VariantWish& wish);

}  // namespace fourfold::schedule
