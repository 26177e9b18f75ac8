#pragma once

#include <string>

namespace fourfold::telemetry {

struct ProcessMetricsOptions {
  std::string version;  // of the server, label of fourfold_build_info; empty: that one is left out
  std::string root;     // prefix of /proc and /sys in tests
};

// What the operating system says of this process now, in Prometheus text format: CPU time, memory,
// file descriptors and start under the names that all Prometheus libraries use, beside them its CPU
// budget, its memory limit, and how often control groups held it back. A figure that this machine
// does not have is left out; without a quota nothing is held back, and the counters are 0. The
// quantizer's processes count for their control group only.
// Reads about ten small files; thread-safe.
std::string ProcessMetricsText(const ProcessMetricsOptions& options);

}  // namespace fourfold::telemetry
