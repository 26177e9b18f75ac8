#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "loadtest/report.h"

namespace fourfold::loadtest {
namespace {

std::string Microseconds(double ns) { return absl::StrFormat("%.1f", ns * 1e-3); }
std::string Microseconds(std::chrono::nanoseconds time) {
  return Microseconds(static_cast<double>(time.count()));
}

// Labels come from the command line and may hold anything (RFC 4180).
std::string Quoted(const std::string& text) {
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? "\"\"" : std::string(1, c);
  return quoted + "\"";
}

}  // namespace

std::string ReportToCsv(const Report& report) {
  const bool open = report.options.loop == Loop::kOpen;
  std::string text = absl::StrCat(
      open ? "Request Rate" : "Concurrency",
      ",Inferences/Second,p50 latency,p90 latency,p95 latency,p99 latency,Avg latency,"
      "p99.9 latency,Max latency,Requests,OK,Variant,Latency Ratio,Ratio Low95,Ratio High95,"
      "Generator Trusted\n");
  for (const TargetReport& target : report.targets) {
    const Histogram& latency = target.figures.latency;
    const auto quantile = [&](double share) { return Microseconds(latency.Quantile(share)); };
    absl::StrAppend(
        &text,
        open ? absl::StrCat(report.options.rate_per_s) : absl::StrCat(report.options.concurrency),
        ",", absl::StrFormat("%.3f", report.PerSecond(target.figures.ok() * report.options.batch)),
        ",", quantile(0.5), ",", quantile(0.9), ",", quantile(0.95), ",", quantile(0.99), ",",
        Microseconds(latency.MeanNs()), ",", quantile(0.999), ",", Microseconds(latency.max()), ",",
        target.figures.ended(), ",", target.figures.ok(), ",", Quoted(target.label), ",");
    if (report.compares() && target.ratio.rounds >= BlockMeans::kValuesMin) {
      absl::StrAppendFormat(&text, "%.6f,%.6f,%.6f", target.ratio.ratio,
                            target.ratio.interval95.low, target.ratio.interval95.high);
    } else {
      absl::StrAppend(&text, ",,");
    }
    absl::StrAppend(&text, ",", report.generator.trusted() ? "true" : "false", "\n");
  }
  return text;
}

}  // namespace fourfold::loadtest
