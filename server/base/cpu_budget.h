#pragma once

#include <optional>
#include <string>

namespace fourfold::base {

// What this process may use of the machine's CPUs.
struct CpuBudget {
  int affinity = 1;  // CPUs in the scheduling mask
  std::optional<double>
      quota;  // CPUs' worth of time that the control groups allow; nothing: no limit

  // Threads that can run without being throttled: a quota of 2.5 gives 2. At least 1.
  int threads() const;
};

// Reads the scheduling mask, and the tightest quota of the process's control group and those above
// it (version 2 cpu.max, version 1 cpu.cfs_quota_us). `root` is a prefix for /proc and /sys in
// tests.
CpuBudget ReadCpuBudget(const std::string& root = "");

}  // namespace fourfold::base
