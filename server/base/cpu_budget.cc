#include "server/base/cpu_budget.h"

#include <sched.h>

#include <algorithm>
#include <thread>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "server/base/file.h"

namespace fourfold::base {
namespace {

int Affinity() {
  // The mask's size is not known in advance on machines with more CPUs than cpu_set_t holds.
  for (int cpus = 1024; cpus <= (1 << 18); cpus *= 4) {
    cpu_set_t* set = CPU_ALLOC(static_cast<size_t>(cpus));
    const size_t bytes = CPU_ALLOC_SIZE(static_cast<size_t>(cpus));
    CPU_ZERO_S(bytes, set);
    const bool ok = sched_getaffinity(0, bytes, set) == 0;
    const int count = ok ? CPU_COUNT_S(bytes, set) : 0;
    CPU_FREE(set);
    if (ok) return std::max(count, 1);
  }
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

std::optional<double> Ratio(absl::string_view quota, absl::string_view period) {
  double numerator = 0;
  double denominator = 0;
  if (!absl::SimpleAtod(absl::StripAsciiWhitespace(quota), &numerator)) return std::nullopt;
  if (!absl::SimpleAtod(absl::StripAsciiWhitespace(period), &denominator)) return std::nullopt;
  if (numerator <= 0 || denominator <= 0) return std::nullopt;
  return numerator / denominator;
}

std::optional<double> QuotaOfVersion2(const std::string& group) {
  const auto text = ReadFile(absl::StrCat(group, "/cpu.max"));
  if (!text.ok()) return std::nullopt;
  const std::vector<std::string> words =
      absl::StrSplit(absl::StripAsciiWhitespace(*text), ' ', absl::SkipEmpty());
  if (words.size() != 2) return std::nullopt;
  return Ratio(words[0], words[1]);  // "max" is no number: no limit
}

std::optional<double> QuotaOfVersion1(const std::string& group) {
  const auto quota = ReadFile(absl::StrCat(group, "/cpu.cfs_quota_us"));
  const auto period = ReadFile(absl::StrCat(group, "/cpu.cfs_period_us"));
  if (!quota.ok() || !period.ok()) return std::nullopt;
  return Ratio(*quota, *period);  // -1: no limit
}

// The tightest quota from `path` up to the hierarchy's root.
template <typename Read>
void Tighten(const std::string& mount, std::string path, Read read,
             std::optional<double>& tightest) {
  while (true) {
    const std::optional<double> quota = read(mount + path);
    if (quota && (!tightest || *quota < *tightest)) tightest = quota;
    if (path.empty()) return;
    path.resize(path.rfind('/') == std::string::npos ? 0 : path.rfind('/'));
  }
}

}  // namespace

int CpuBudget::threads() const {
  if (!quota) return std::max(affinity, 1);
  return std::clamp(static_cast<int>(std::min(*quota, 1e6)), 1, std::max(affinity, 1));
}

CpuBudget ReadCpuBudget(const std::string& root) {
  CpuBudget budget;
  budget.affinity = Affinity();
  const auto groups = ReadFile(absl::StrCat(root, "/proc/self/cgroup"));
  if (!groups.ok()) return budget;
  for (const absl::string_view line : absl::StrSplit(*groups, '\n', absl::SkipEmpty())) {
    const std::vector<std::string> parts = absl::StrSplit(line, absl::MaxSplits(':', 2));
    if (parts.size() != 3) continue;
    const std::string path = parts[2] == "/" ? "" : parts[2];
    if (parts[0] == "0" && parts[1].empty()) {
      Tighten(absl::StrCat(root, "/sys/fs/cgroup"), path, QuotaOfVersion2, budget.quota);
      continue;
    }
    const std::vector<std::string> controllers = absl::StrSplit(parts[1], ',');
    if (std::find(controllers.begin(), controllers.end(), "cpu") == controllers.end()) continue;
    Tighten(absl::StrCat(root, "/sys/fs/cgroup/cpu"), path, QuotaOfVersion1, budget.quota);
  }
  return budget;
}

}  // namespace fourfold::base
