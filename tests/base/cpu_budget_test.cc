#include "server/base/cpu_budget.h"

#include <gtest/gtest.h>

#include "tests/testing/temporary_directory.h"

namespace fourfold::base {
namespace {

TEST(CpuBudgetTest, TakesTheTightestQuotaOfTheGroupsAbove) {
  const testing::TemporaryDirectory root;
  root.Write("proc/self/cgroup", "0::/pod/container\n");
  root.Write("sys/fs/cgroup/pod/cpu.max", "150000 100000\n");
  root.Write("sys/fs/cgroup/pod/container/cpu.max", "max 100000\n");
  const CpuBudget budget = ReadCpuBudget(root.path());
  ASSERT_TRUE(budget.quota.has_value());
  EXPECT_DOUBLE_EQ(*budget.quota, 1.5);
  EXPECT_EQ(budget.threads(), 1);
}

TEST(CpuBudgetTest, ReadsVersion1) {
  const testing::TemporaryDirectory root;
  root.Write("proc/self/cgroup", "5:memory:/a\n4:cpu,cpuacct:/a\n");
  root.Write("sys/fs/cgroup/cpu/a/cpu.cfs_quota_us", "250000\n");
  root.Write("sys/fs/cgroup/cpu/a/cpu.cfs_period_us", "100000\n");
  const CpuBudget budget = ReadCpuBudget(root.path());
  ASSERT_TRUE(budget.quota.has_value());
  EXPECT_DOUBLE_EQ(*budget.quota, 2.5);
}

TEST(CpuBudgetTest, IsTheAffinityWithoutAQuota) {
  const testing::TemporaryDirectory root;
  root.Write("proc/self/cgroup", "4:cpu:/\n");
  root.Write("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1\n");
  root.Write("sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
  const CpuBudget budget = ReadCpuBudget(root.path());
  EXPECT_FALSE(budget.quota.has_value());
  EXPECT_EQ(budget.threads(), budget.affinity);
}

TEST(CpuBudgetTest, IsAtLeastOneAndAtMostTheAffinity) {
  EXPECT_EQ((CpuBudget{4, 0.1}.threads()), 1);
  EXPECT_EQ((CpuBudget{4, 2.9}.threads()), 2);
  EXPECT_EQ((CpuBudget{4, 64.0}.threads()), 4);
}

}  // namespace
}  // namespace fourfold::base
