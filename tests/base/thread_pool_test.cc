#include "server/base/thread_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <vector>

#include "absl/synchronization/notification.h"
#include "server/base/task_queue.h"

namespace fourfold::base {
namespace {

class ThreadPoolTest : public ::testing::TestWithParam<int> {};

TEST_P(ThreadPoolTest, RunsEachIndexOnceInEachOfManyLoops) {
  ThreadPool pool(GetParam());
  EXPECT_EQ(pool.threads(), GetParam());
  for (int count = 0; count < 200; ++count) {
    std::vector<std::atomic<int>> runs(static_cast<size_t>(count));
    pool.For(count, [&](int i) { ++runs[static_cast<size_t>(i)]; });
    for (const auto& run : runs) ASSERT_EQ(run.load(), 1) << count;
  }
}

TEST_P(ThreadPoolTest, RunsALoopInsideALoop) {
  ThreadPool pool(GetParam());
  std::atomic<int> runs{0};
  pool.For(8, [&](int) { pool.For(8, [&](int) { ++runs; }); });
  EXPECT_EQ(runs.load(), 64);
}

INSTANTIATE_TEST_SUITE_P(Threads, ThreadPoolTest, ::testing::Values(1, 2, 5));

TEST(ThreadPoolThreadsTest, WorksInParallel) {
  ThreadPool pool(2);
  absl::Notification first;
  absl::Notification second;
  // Each waits for the other: one thread alone would never end.
  pool.For(2, [&](int i) {
    (i == 0 ? first : second).Notify();
    (i == 0 ? second : first).WaitForNotification();
  });
}

TEST(TaskQueueTest, RunsWhatWasPostedBeforeItEnds) {
  std::atomic<int> runs{0};
  {
    TaskQueue queue(2);
    for (int i = 0; i < 100; ++i) queue.Post([&] { ++runs; });
  }
  EXPECT_EQ(runs.load(), 100);
}

}  // namespace
}  // namespace fourfold::base
