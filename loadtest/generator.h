#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "loadtest/recorder.h"

namespace fourfold::loadtest {

// Beyond these, the generator measured itself rather than the server.
inline constexpr double kLateShareMax = 0.01;  // of sends that were late
inline constexpr double kCpuShareMax = 0.90;   // of all cores' time

// Whether the load generator kept up with its own plan.
struct GeneratorReport {
  std::chrono::nanoseconds late_threshold = {};  // a send later than this is late
  int64_t sends = 0;
  double late_share = 0;
  std::chrono::nanoseconds late_p99 = {};
  std::chrono::nanoseconds late_max = {};
  int64_t not_sent = 0;  // given up because too many requests were in flight
  double cpu_share = 0;  // of the time of all cores
  // Why the figures are not to be trusted; empty: they are.
  std::vector<std::string> doubts;

  bool trusted() const { return doubts.empty(); }
};

// The larger of 1 ms and a tenth of the mean time between requests; for a closed loop (rate 0) 1
// ms.
std::chrono::nanoseconds LateThreshold(double rate_per_s);

struct GeneratorFacts {
  std::chrono::nanoseconds late_threshold = {};
  int64_t late = 0;
  int64_t not_sent = 0;
  double cpu_seconds = 0;
  double wall_seconds = 0;
  int cores = 1;
};

GeneratorReport JudgeGenerator(const Histogram& lateness, const GeneratorFacts& facts);

}  // namespace fourfold::loadtest
