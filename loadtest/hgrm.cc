#include "loadtest/hgrm.h"

#include "absl/strings/str_format.h"

namespace fourfold::loadtest {

std::string ToHgrm(const Histogram& histogram) {
  std::string text = absl::StrFormat("%12s %14s %10s %14s\n\n", "Value", "Percentile", "TotalCount",
                                     "1/(1-Percentile)");
  int64_t seen = 0;
  histogram.ForEachBucket([&](Histogram::Duration value, int64_t count) {
    seen += count;
    const double ms = static_cast<double>(value.count()) * 1e-6;
    const double share = static_cast<double>(seen) / static_cast<double>(histogram.count());
    absl::StrAppendFormat(&text, "%12.6f %2.12f %10d", ms, share, seen);
    // The last line has no finite last column, and none in HdrHistogram's output either.
    if (seen < histogram.count()) absl::StrAppendFormat(&text, " %14.2f", 1 / (1 - share));
    text += "\n";
  });
  absl::StrAppendFormat(&text, "#[Mean    = %12.6f, StdDeviation   = %12.6f]\n",
                        histogram.MeanNs() * 1e-6, histogram.DeviationNs() * 1e-6);
  absl::StrAppendFormat(&text, "#[Max     = %12.6f, Total count    = %12d]\n",
                        static_cast<double>(histogram.max().count()) * 1e-6, histogram.count());
  absl::StrAppendFormat(&text, "#[Buckets = %12d, SubBuckets     = %12d]\n", 32, 2048);
  return text;
}

}  // namespace fourfold::loadtest
