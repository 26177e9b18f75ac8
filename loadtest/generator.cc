#include "loadtest/generator.h"

#include <algorithm>

#include "absl/strings/str_format.h"

namespace fourfold::loadtest {

std::chrono::nanoseconds LateThreshold(double rate_per_s) {
  const std::chrono::nanoseconds least = std::chrono::milliseconds(1);
  if (rate_per_s <= 0) return least;
  return std::max(least, std::chrono::nanoseconds(static_cast<int64_t>(1e8 / rate_per_s)));
}

GeneratorReport JudgeGenerator(const Histogram& lateness, const GeneratorFacts& facts) {
  GeneratorReport report;
  report.late_threshold = facts.late_threshold;
  report.sends = lateness.count();
  report.late_share =
      static_cast<double>(facts.late) / static_cast<double>(std::max<int64_t>(1, report.sends));
  report.late_p99 = lateness.Quantile(0.99);
  report.late_max = lateness.max();
  report.not_sent = facts.not_sent;
  if (facts.wall_seconds > 0) {
    report.cpu_share = facts.cpu_seconds / (facts.wall_seconds * facts.cores);
  }
  if (report.late_share > kLateShareMax) {
    report.doubts.push_back(absl::StrFormat(
        "the generator was late: %.1f%% of requests were sent more than %.1f ms after their time",
        100 * report.late_share, static_cast<double>(report.late_threshold.count()) * 1e-6));
  }
  if (report.not_sent > 0) {
    report.doubts.push_back(absl::StrFormat(
        "%d requests were not sent, because too many were in flight (--in_flight_max)",
        report.not_sent));
  }
  if (report.cpu_share > kCpuShareMax) {
    report.doubts.push_back(
        absl::StrFormat("the generator itself used %.0f%% of the CPUs", 100 * report.cpu_share));
  }
  return report;
}

}  // namespace fourfold::loadtest
