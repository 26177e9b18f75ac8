#include "server/report/verdict.h"

#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace fourfold::report {
namespace {

constexpr char kReference[] = "fp32";
// Latencies closer than this are called equal: repeated measurements differ by as much.
constexpr double kSameSpeed = 0.05;

// "98.3%" for 0.98399: rounded down to a tenth, but for what is lost in the last bits.
std::string PercentDown(double share) {
  return absl::StrFormat("%.1f%%", std::floor(share * 1000 + 1e-9) / 10);
}

std::string Samples(int64_t count) {
  return absl::StrCat(count, count == 1 ? " sample" : " samples");
}

std::string Speed(double speedup) {
  if (speedup <= 0) return "was not timed against fp32";
  if (speedup >= 1 + kSameSpeed) return absl::StrFormat("is %.2f times as fast as fp32", speedup);
  if (speedup > 1 - kSameSpeed)
    return absl::StrFormat("is about as fast as fp32 (%.2f times)", speedup);
  return absl::StrFormat("is slower than fp32 on this machine: %.2f times as fast", speedup);
}

std::string FileSize(double ratio) {
  if (ratio <= 0) return "its file was not compared";
  if (ratio > 1) return absl::StrFormat("its file is larger, %.2f of fp32's size", ratio);
  return absl::StrFormat("its file is %.2f of fp32's size", ratio);
}

std::string Closeness(const Variant& variant) {
  if (!variant.fidelity || variant.fidelity->samples <= 0) {
    return "no samples were given, so how often it agrees with fp32 is unknown";
  }
  const Fidelity& fidelity = *variant.fidelity;
  const auto agreed = std::llround(fidelity.top1_agreement * static_cast<double>(fidelity.samples));
  return absl::StrCat("it agrees with fp32 on ", agreed, " of ", Samples(fidelity.samples), " (",
                      PercentDown(fidelity.top1_agreement), "; at least ",
                      PercentDown(fidelity.agreement_low95), " with 95% confidence)");
}

std::string Labels(const Variant& variant) {
  if (!variant.labelled) return "";
  const double points = 100 * variant.versus_fp32.top1_delta;
  const std::string than = std::abs(points) < 0.005 ? std::string("the same as fp32")
                           : points < 0 ? absl::StrFormat("%.2f points below fp32", -points)
                                        : absl::StrFormat("%.2f points above fp32", points);
  return absl::StrFormat(" Top-1 accuracy is %.2f%% on %s with labels, %s.",
                         100 * variant.labelled->top1, Samples(variant.labelled->samples), than);
}

std::string Summary(const Report& report) {
  bool others = false;
  bool checked = false;
  std::string chosen;
  for (const Variant& variant : report.variants) {
    if (variant.is_default) chosen = variant.variant;
    if (variant.variant == kReference) continue;
    others = true;
    checked = checked || variant.fidelity.has_value();
  }
  if (chosen.empty()) return "No variant is marked as the default.";
  std::string text = absl::StrCat(chosen, " is the default variant");
  if (chosen != kReference) {
    return absl::StrCat(text, ": the fastest whose measured loss is small enough.");
  }
  if (!others) return absl::StrCat(text, ": there is no other.");
  if (!checked) {
    return absl::StrCat(text, ": no samples were given, so the loss of the others is unknown.");
  }
  return absl::StrCat(text, ": none of the others is faster with a loss small enough.");
}

}  // namespace

Verdict ToVerdict(const Report& report) {
  Verdict verdict;
  verdict.summary = Summary(report);
  for (const Variant& variant : report.variants) {
    if (variant.variant == kReference) continue;
    verdict.variants.push_back(
        {variant.variant, absl::StrCat(variant.variant, " ", Speed(variant.versus_fp32.speedup),
                                       "; ", FileSize(variant.versus_fp32.size_ratio), "; ",
                                       Closeness(variant), ".", Labels(variant))});
  }
  return verdict;
}

}  // namespace fourfold::report
