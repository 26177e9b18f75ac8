#include "server/base/cpu_budget.h"

#include <sched.h>

#include <algorithm>
#include <thread>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "server/base/control_group.h"
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

}  // namespace

int CpuBudget::threads() const {
  if (!quota) return std::max(affinity, 1);
  return std::clamp(static_cast<int>(std::min(*quota, 1e6)), 1, std::max(affinity, 1));
}

CpuBudget ReadCpuBudget(const std::string& root) {
  CpuBudget budget;
  budget.affinity = Affinity();
  for (const std::string& group : ControlGroupDirectories("cpu", root)) {
    for (const std::optional<double>& quota : {QuotaOfVersion2(group), QuotaOfVersion1(group)}) {
      if (quota && (!budget.quota || *quota < *budget.quota)) budget.quota = quota;
    }
  }
  return budget;
}

}  // namespace fourfold::base
