#include "server/schedule/choose_variant.h"

#include <algorithm>
#include <tuple>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace fourfold::schedule {
namespace {

using VariantPtr = std::shared_ptr<const registry::Variant>;

// With fp32 itself 1; nothing where it was not measured.
std::optional<double> Agreement(const registry::Variant& variant) {
  if (variant.name == "fp32") return 1.0;
  if (!variant.figures.fidelity) return std::nullopt;
  return variant.figures.fidelity->top1_agreement;
}

double Sqnr(const registry::Variant& variant) {
  if (variant.name == "fp32") return 1e9;
  return variant.figures.fidelity ? variant.figures.fidelity->sqnr_db : -1e9;
}

double Latency(const registry::Variant& variant) { return variant.figures.latency.p50_ms; }

bool Keeps(const registry::Variant& variant, const VariantWish& wish) {
  if (wish.max_latency_ms && !(variant.figures.latency.p99_ms <= *wish.max_latency_ms))
    return false;
  if (wish.min_agreement) {
    const std::optional<double> agreement = Agreement(variant);
    if (!agreement || !(*agreement >= *wish.min_agreement)) return false;
  }
  return true;
}

// a is to be taken rather than b.
bool Better(const registry::Variant& a, const registry::Variant& b, Preference prefer) {
  const double agreement_a = Agreement(a).value_or(-1);
  const double agreement_b = Agreement(b).value_or(-1);
  switch (prefer) {
    case Preference::kAccuracy:
      return std::tuple(-agreement_a, -Sqnr(a), Latency(a)) <
             std::tuple(-agreement_b, -Sqnr(b), Latency(b));
    case Preference::kSize:
      return std::tuple(a.file_bytes(), Latency(a)) < std::tuple(b.file_bytes(), Latency(b));
    case Preference::kLatency:
    case Preference::kUnspecified: break;
  }
  return std::tuple(Latency(a), -agreement_a) < std::tuple(Latency(b), -agreement_b);
}

absl::Status NoneKeeps(const registry::ModelVersion& version, const VariantWish& wish) {
  std::string wanted;
  if (wish.max_latency_ms) absl::StrAppend(&wanted, " max_latency_ms=", *wish.max_latency_ms);
  if (wish.min_agreement) absl::StrAppend(&wanted, " min_agreement=", *wish.min_agreement);
  const std::string got =
      absl::StrJoin(version.variants, ", ", [](std::string* out, const VariantPtr& v) {
        absl::StrAppend(out, v->name, " p99 ", v->figures.latency.p99_ms, " ms");
        const std::optional<double> agreement = Agreement(*v);
        if (agreement) absl::StrAppend(out, " agreement ", *agreement);
      });
  return absl::FailedPreconditionError(
      absl::StrCat("model ", version.model, " has no variant with", wanted, "; measured: ", got));
}

}  // namespace

absl::StatusOr<Preference> ParsePreference(absl::string_view text) {
  if (text == "latency") return Preference::kLatency;
  if (text == "accuracy") return Preference::kAccuracy;
  if (text == "size") return Preference::kSize;
  return absl::InvalidArgumentError(absl::StrCat("parameter prefer: got \"",
                                                 absl::CHexEscape(text.substr(0, 64)),
                                                 "\", wanted latency, accuracy or size"));
}

absl::StatusOr<VariantPtr> ChooseVariant(const registry::ModelVersion& version,
                                         const VariantWish& wish) {
  if (!wish.variant.empty()) {
    if (VariantPtr variant = version.Find(wish.variant)) return variant;
    return absl::NotFoundError(absl::StrCat(
        "model ", version.model, " version ", version.version, " has no variant \"",
        absl::CHexEscape(absl::string_view(wish.variant).substr(0, 64)), "\", it has ",
        absl::StrJoin(version.variants, ", ",
                      [](std::string* out, const VariantPtr& v) { out->append(v->name); })));
  }
  Preference prefer = wish.prefer;
  if (prefer == Preference::kUnspecified) {
    if (Keeps(*version.Default(), wish)) return version.Default();
    prefer = wish.min_agreement ? Preference::kLatency : Preference::kAccuracy;
  }
  VariantPtr best;
  for (const VariantPtr& variant : version.variants) {
    if (!Keeps(*variant, wish)) continue;
    if (!best || Better(*variant, *best, prefer)) best = variant;
  }
  if (!best) return NoneKeeps(version, wish);
  return best;
}

}  // namespace fourfold::schedule
