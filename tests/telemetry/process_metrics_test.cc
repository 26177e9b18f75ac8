#include "server/telemetry/process_metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <ctime>
#include <fstream>
#include <map>
#include <sstream>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "tests/testing/temporary_directory.h"

namespace fourfold::telemetry {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Key;
using ::testing::Not;

// Value by name of the text's samples.
std::map<std::string, double> Samples(const std::string& text) {
  std::map<std::string, double> samples;
  const std::vector<std::string> lines = absl::StrSplit(text, '\n', absl::SkipEmpty());
  for (const std::string& line : lines) {
    if (line[0] == '#') continue;
    const std::vector<std::string> parts = absl::StrSplit(line, ' ');
    samples[parts[0]] = std::stod(parts[1]);
  }
  return samples;
}

std::map<std::string, double> SamplesOf(const testing::TemporaryDirectory& root) {
  return Samples(ProcessMetricsText({.root = root.path()}));
}

// A process called "a) (b" with 2 s user, 1 s system time, started 5 s after the boot, if a second
// has `ticks` clock ticks.
std::string StatLine(long ticks) {
  return absl::StrCat("77 (a) (b) S 1 77 77 0 -1 0 0 0 0 0 ", 2 * ticks, " ", ticks,
                      " 9 9 20 0 4 0 ", 5 * ticks, " 1048576 3 0 0");
}

TEST(ProcessMetricsTest, ReadsTheProcessWhateverItsName) {
  const testing::TemporaryDirectory root;
  root.Write("proc/self/stat", StatLine(sysconf(_SC_CLK_TCK)));
  root.Write("proc/stat", "cpu  1 2 3\nbtime 1000\n");
  root.Write("proc/self/fd/0", "");
  root.Write("proc/self/fd/1", "");
  auto samples = SamplesOf(root);
  EXPECT_DOUBLE_EQ(samples["process_cpu_seconds_total"], 3);
  EXPECT_DOUBLE_EQ(samples["process_start_time_seconds"], 1005);
  EXPECT_DOUBLE_EQ(samples["process_virtual_memory_bytes"], 1048576);
  EXPECT_DOUBLE_EQ(samples["process_resident_memory_bytes"],
                   3 * static_cast<double>(sysconf(_SC_PAGESIZE)));
  EXPECT_DOUBLE_EQ(samples["process_open_fds"], 2);
}

TEST(ProcessMetricsTest, AddsTheThrottlingOfAllGroupsOfVersion2) {
  const testing::TemporaryDirectory root;
  root.Write("proc/self/cgroup", "0::/pod/container\n");
  root.Write("sys/fs/cgroup/pod/cpu.stat",
             "usage_usec 9\nnr_periods 10\nnr_throttled 2\nthrottled_usec 1500000\n");
  root.Write("sys/fs/cgroup/pod/container/cpu.stat",
             "usage_usec 9\nnr_periods 30\nnr_throttled 5\nthrottled_usec 500000\n");
  auto samples = SamplesOf(root);
  EXPECT_DOUBLE_EQ(samples["fourfold_cpu_periods_total"], 40);
  EXPECT_DOUBLE_EQ(samples["fourfold_cpu_throttled_periods_total"], 7);
  EXPECT_DOUBLE_EQ(samples["fourfold_cpu_throttled_seconds_total"], 2);
}

TEST(ProcessMetricsTest, ReadsThrottlingOfVersion1) {
  const testing::TemporaryDirectory root;
  root.Write("proc/self/cgroup", "4:cpu,cpuacct:/a\n");
  root.Write("sys/fs/cgroup/cpu/a/cpu.stat",
             "nr_periods 8\nnr_throttled 4\nthrottled_time 2500000000\n");
  auto samples = SamplesOf(root);
  EXPECT_DOUBLE_EQ(samples["fourfold_cpu_throttled_periods_total"], 4);
  EXPECT_DOUBLE_EQ(samples["fourfold_cpu_throttled_seconds_total"], 2.5);
}

TEST(ProcessMetricsTest, IsNeverThrottledWithoutAQuota) {
  const testing::TemporaryDirectory root;
  auto samples = SamplesOf(root);
  EXPECT_THAT(samples, Contains(Key("fourfold_cpu_throttled_seconds_total")));
  EXPECT_DOUBLE_EQ(samples["fourfold_cpu_throttled_seconds_total"], 0);
}

TEST(ProcessMetricsTest, TakesTheTightestMemoryLimit) {
  const testing::TemporaryDirectory root;
  root.Write("proc/meminfo", "MemTotal:  4096 kB\nMemFree: 1 kB\n");
  EXPECT_DOUBLE_EQ(SamplesOf(root)["fourfold_memory_limit_bytes"], 4096 * 1024);
  root.Write("proc/self/cgroup", "0::/pod/container\n");
  root.Write("sys/fs/cgroup/pod/memory.max", "1000000\n");
  root.Write("sys/fs/cgroup/pod/container/memory.max", "max\n");
  EXPECT_DOUBLE_EQ(SamplesOf(root)["fourfold_memory_limit_bytes"], 1000000);
}

TEST(ProcessMetricsTest, TakesVersion1sWordForNoLimitAsNone) {
  const testing::TemporaryDirectory root;
  root.Write("proc/meminfo", "MemTotal:  4096 kB\n");
  root.Write("proc/self/cgroup", "4:memory:/a\n");
  root.Write("sys/fs/cgroup/memory/a/memory.limit_in_bytes", "9223372036854771712\n");
  EXPECT_DOUBLE_EQ(SamplesOf(root)["fourfold_memory_limit_bytes"], 4096 * 1024);
}

TEST(ProcessMetricsTest, BudgetIsTheQuotaWhereItIsBelowTheAffinity) {
  const testing::TemporaryDirectory root;
  const double affinity = SamplesOf(root)["fourfold_cpu_budget_cores"];
  EXPECT_GE(affinity, 1);
  root.Write("proc/self/cgroup", "0::/\n");
  root.Write("sys/fs/cgroup/cpu.max", "50000 100000\n");
  EXPECT_DOUBLE_EQ(SamplesOf(root)["fourfold_cpu_budget_cores"], 0.5);
  root.Write("sys/fs/cgroup/cpu.max", "100000000 100000\n");
  EXPECT_DOUBLE_EQ(SamplesOf(root)["fourfold_cpu_budget_cores"], affinity);
}

TEST(ProcessMetricsTest, LeavesOutWhatTheMachineDoesNotSay) {
  const testing::TemporaryDirectory root;
  root.Write("proc/self/stat", "77 (cut off) S 1");
  const auto samples = SamplesOf(root);
  EXPECT_THAT(samples, Not(Contains(Key("process_cpu_seconds_total"))));
  EXPECT_THAT(samples, Not(Contains(Key("process_resident_memory_bytes"))));
  EXPECT_THAT(samples, Not(Contains(Key("fourfold_memory_limit_bytes"))));
}

TEST(ProcessMetricsTest, NamesTheVersionIfTold) {
  EXPECT_THAT(ProcessMetricsText({.version = "1.2.3"}),
              HasSubstr(R"(fourfold_build_info{version="1.2.3"} 1)"));
  EXPECT_THAT(ProcessMetricsText({}), Not(HasSubstr("fourfold_build_info")));
}

// Of the test's own process: the kernel's files are as this code expects them.
TEST(ProcessMetricsTest, SeesItsOwnProcess) {
  std::vector<char> block(64 << 20, 1);  // resident, for being written
  const auto with = Samples(ProcessMetricsText({}));
  EXPECT_GT(with.at("process_resident_memory_bytes"), static_cast<double>(block.size()));
  const auto before = Samples(ProcessMetricsText({})).at("process_open_fds");
  const std::ifstream file("/proc/self/status");
  EXPECT_DOUBLE_EQ(Samples(ProcessMetricsText({})).at("process_open_fds"), before + 1);
  EXPECT_GE(with.at("process_max_fds"), before);
  EXPECT_GT(with.at("fourfold_memory_limit_bytes"), static_cast<double>(block.size()));
  const double age =
      static_cast<double>(std::time(nullptr)) - with.at("process_start_time_seconds");
  EXPECT_GE(age, -2);
  EXPECT_LT(age, 600);
}

}  // namespace
}  // namespace fourfold::telemetry
