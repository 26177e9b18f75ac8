#include "server/telemetry/process_metrics.h"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "server/base/control_group.h"
#include "server/base/cpu_budget.h"
#include "server/base/file.h"

namespace fourfold::telemetry {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

void Add(std::vector<MetricFamily>& families, MetricType type, const char* name, const char* help,
         double value, std::vector<ClientMetric::Label> labels = {}) {
  ClientMetric metric;
  metric.label = std::move(labels);
  (type == MetricType::Counter ? metric.counter.value : metric.gauge.value) = value;
  families.push_back({name, help, type, {std::move(metric)}});
}

std::vector<std::string> Words(absl::string_view text) {
  return absl::StrSplit(text, absl::ByAnyChar(" \t\n"), absl::SkipEmpty());
}

// The number behind `key` in a file of lines "KEY NUMBER ...".
std::optional<double> NumberOf(const std::string& path, absl::string_view key) {
  const auto text = base::ReadFile(path);
  if (!text.ok()) return std::nullopt;
  for (const absl::string_view line : absl::StrSplit(*text, '\n')) {
    const std::vector<std::string> words = Words(line);
    double number = 0;
    if (words.size() >= 2 && words[0] == key && absl::SimpleAtod(words[1], &number)) return number;
  }
  return std::nullopt;
}

std::optional<double> NumberIn(const std::string& path) {
  const auto text = base::ReadFile(path);
  double number = 0;
  if (!text.ok() || !absl::SimpleAtod(absl::StripAsciiWhitespace(*text), &number))
    return std::nullopt;
  return number;  // "max" is no number
}

// Fields of /proc/self/stat from the third on: the second, the program's name in parentheses, may
// hold anything. Numbered as in proc(5), where the first field is 1.
class Stat {
 public:
  explicit Stat(const std::string& root) {
    const auto text = base::ReadFile(root + "/proc/self/stat");
    if (!text.ok()) return;
    const size_t name_end = text->rfind(')');
    if (name_end != std::string::npos) fields_ = Words(text->substr(name_end + 1));
  }
  std::optional<double> Field(size_t number) const {
    double value = 0;
    if (fields_.size() <= number - 3 || !absl::SimpleAtod(fields_[number - 3], &value))
      return std::nullopt;
    return value;
  }

 private:
  std::vector<std::string> fields_;
};

void AddProcess(const std::string& root, std::vector<MetricFamily>& families) {
  const Stat stat(root);
  const double ticks_per_second = static_cast<double>(sysconf(_SC_CLK_TCK));
  const auto user = stat.Field(14);
  const auto system = stat.Field(15);
  if (user && system) {
    Add(families, MetricType::Counter, "process_cpu_seconds_total",
        "User and system CPU time of the server's process.", (*user + *system) / ticks_per_second);
  }
  const auto boot = NumberOf(root + "/proc/stat", "btime");
  if (const auto start = stat.Field(22); start && boot) {
    Add(families, MetricType::Gauge, "process_start_time_seconds",
        "Start of the process, seconds since 1970.", *boot + *start / ticks_per_second);
  }
  if (const auto bytes = stat.Field(23)) {
    Add(families, MetricType::Gauge, "process_virtual_memory_bytes", "Address space in use.",
        *bytes);
  }
  if (const auto pages = stat.Field(24)) {
    Add(families, MetricType::Gauge, "process_resident_memory_bytes",
        "Memory of the process that is in RAM.",
        *pages * static_cast<double>(sysconf(_SC_PAGESIZE)));
  }
  if (const auto open = base::ListDirectory(root + "/proc/self/fd"); open.ok()) {
    // One of them is the listing's own, when it is this process that is read.
    const size_t own = root.empty() ? 1 : 0;
    Add(families, MetricType::Gauge, "process_open_fds", "Open file descriptors.",
        static_cast<double>(open->size() - std::min(own, open->size())));
  }
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY) {
    Add(families, MetricType::Gauge, "process_max_fds", "File descriptors that may be open.",
        static_cast<double>(limit.rlim_cur));
  }
}

// Counts under the quotas of all groups above: each of them can hold the process back.
void AddThrottling(const std::string& root, std::vector<MetricFamily>& families) {
  double periods = 0;
  double throttled = 0;
  double seconds = 0;
  for (const std::string& group : base::ControlGroupDirectories("cpu", root)) {
    const std::string file = group + "/cpu.stat";
    periods += NumberOf(file, "nr_periods").value_or(0);
    throttled += NumberOf(file, "nr_throttled").value_or(0);
    seconds += NumberOf(file, "throttled_usec").value_or(0) * 1e-6;  // version 2
    seconds += NumberOf(file, "throttled_time").value_or(0) * 1e-9;  // version 1
  }
  Add(families, MetricType::Counter, "fourfold_cpu_periods_total",
      "Periods in which a CPU quota of the control groups was accounted.", periods);
  Add(families, MetricType::Counter, "fourfold_cpu_throttled_periods_total",
      "Periods in which the CPU quota was used up.", throttled);
  Add(families, MetricType::Counter, "fourfold_cpu_throttled_seconds_total",
      "Time that CPUs were withheld because the quota was used up, added over CPUs.", seconds);
}

// The tightest limit of the groups above, or the machine's memory.
std::optional<double> MemoryLimit(const std::string& root) {
  std::optional<double> limit;
  if (const auto kib = NumberOf(root + "/proc/meminfo", "MemTotal:")) limit = *kib * 1024;
  for (const std::string& group : base::ControlGroupDirectories("memory", root)) {
    for (const char* file : {"/memory.max", "/memory.limit_in_bytes"}) {
      const std::optional<double> bytes = NumberIn(group + file);
      if (bytes && (!limit || *bytes < *limit)) limit = bytes;
    }
  }
  return limit;
}

void AddLimits(const std::string& root, std::vector<MetricFamily>& families) {
  const base::CpuBudget budget = base::ReadCpuBudget(root);
  const double affinity = budget.affinity;
  Add(families, MetricType::Gauge, "fourfold_cpu_budget_cores",
      "CPUs that affinity and control groups let the server use.",
      std::min(affinity, budget.quota.value_or(affinity)));
  if (const auto limit = MemoryLimit(root)) {
    Add(families, MetricType::Gauge, "fourfold_memory_limit_bytes",
        "Memory that control groups, or else the machine, let the server use.", *limit);
  }
}

}  // namespace

std::string ProcessMetricsText(const ProcessMetricsOptions& options) {
  std::vector<MetricFamily> families;
  if (!options.version.empty()) {
    Add(families, MetricType::Gauge, "fourfold_build_info", "1; the label is the server's version.",
        1, {{"version", options.version}});
  }
  AddProcess(options.root, families);
  AddThrottling(options.root, families);
  AddLimits(options.root, families);
  return prometheus::TextSerializer().Serialize(families);
}

}  // namespace fourfold::telemetry
