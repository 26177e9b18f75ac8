#include "server/schedule/scheduler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstring>
#include <thread>

#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "server/registry/load_variant.h"
#include "tests/testing/fake_clock.h"
#include "tests/testing/small_model.h"

namespace fourfold::schedule {
namespace {

using ::testing::ElementsAre;
using Outputs = absl::StatusOr<std::vector<OutputTensor>>;

class SchedulerTest : public ::testing::Test {
 protected:
  SchedulerTest() {
    const std::string onnx = testing::AddModel(1);
    auto variant = std::make_shared<registry::Variant>();
    variant->name = "fp32";
    variant->model = *registry::LoadVariant(std::as_bytes(std::span(onnx)), {});
    variant->stacked = std::make_shared<runtime::StackedPlans>(*variant->model);
    variant->series = metrics_.ForVariant({"m", 1, "fp32"}, {});
    variant_ = variant;
  }

  SchedulerOptions Options(int queue_max) {
    SchedulerOptions options;
    options.queue_max = queue_max;
    options.clock = &clock_;
    return options;
  }

  Job AddOne(std::function<void(Outputs)> done) {
    Job job;
    job.variant = variant_;
    job.shapes = {{1, 2}};
    job.inputs = {std::as_bytes(std::span(x_))};
    job.done = std::move(done);
    return job;
  }

  // A job that holds the only worker until `release`.
  Job Blocking(absl::Notification& started, absl::Notification& release) {
    return AddOne([&](const Outputs&) {
      started.Notify();
      release.WaitForNotification();
    });
  }

  testing::FakeClock clock_;
  telemetry::Metrics metrics_;
  std::shared_ptr<const registry::Variant> variant_;  // dies before metrics_
  const std::vector<float> x_ = {5, 6};
};

TEST_F(SchedulerTest, Computes) {
  Scheduler scheduler(Options(4), metrics_);
  absl::Notification done;
  std::vector<float> y(2);
  ASSERT_TRUE(scheduler
                  .Submit(AddOne([&](Outputs outputs) {
                    ASSERT_TRUE(outputs.ok()) << outputs.status();
                    EXPECT_EQ((*outputs)[0].info.name, "y");
                    EXPECT_THAT((*outputs)[0].info.shape, ElementsAre(1, 2));
                    std::memcpy(y.data(), (*outputs)[0].bytes.data(), (*outputs)[0].bytes.size());
                    done.Notify();
                  }))
                  .ok());
  done.WaitForNotification();
  EXPECT_THAT(y, ElementsAre(6, 7));
}

TEST_F(SchedulerTest, RejectsWhenTheQueueIsFullAndNotBefore) {
  Scheduler scheduler(Options(2), metrics_);
  absl::Notification started;
  absl::Notification release;
  std::atomic<int> finished{0};
  ASSERT_TRUE(scheduler.Submit(Blocking(started, release)).ok());
  started.WaitForNotification();
  const auto count = [&](const Outputs& outputs) { finished += outputs.ok(); };
  EXPECT_TRUE(scheduler.Submit(AddOne(count)).ok());
  EXPECT_TRUE(scheduler.Submit(AddOne(count)).ok());
  EXPECT_EQ(scheduler.Submit(AddOne(count)).code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(metrics_.Text(),
              ::testing::HasSubstr(R"(fourfold_rejected_requests_total{reason="queue_full"} 1)"));
  release.Notify();
  scheduler.Drain(clock_.Now() + absl::Hours(1));
  EXPECT_EQ(finished.load(), 2);
}

TEST_F(SchedulerTest, RunsWhatWaitsTogetherAndGivesEachItsOwnAnswer) {
  kernels::Sequential sequential;
  variant_->stacked->Claim({{1, 2}}, 4);
  ASSERT_TRUE(variant_->stacked->Prepare({{1, 2}}, 4, sequential).ok());
  Scheduler scheduler(Options(8), metrics_);
  absl::Notification started;
  absl::Notification release;
  ASSERT_TRUE(scheduler.Submit(Blocking(started, release)).ok());
  started.WaitForNotification();
  std::vector<std::vector<float>> x = {{1, 2}, {3, 4}, {5, 6}, {7, 8}};
  std::vector<std::vector<float>> y(4, std::vector<float>(2));
  for (size_t i = 0; i < x.size(); ++i) {
    Job job = AddOne([&, i](Outputs outputs) {
      ASSERT_TRUE(outputs.ok()) << outputs.status();
      EXPECT_THAT((*outputs)[0].info.shape, ElementsAre(1, 2));
      ASSERT_EQ((*outputs)[0].bytes.size(), 2 * sizeof(float));
      std::memcpy(y[i].data(), (*outputs)[0].bytes.data(), 2 * sizeof(float));
    });
    job.inputs = {std::as_bytes(std::span(x[i]))};
    ASSERT_TRUE(scheduler.Submit(std::move(job)).ok());
  }
  clock_.Advance(absl::Seconds(1));
  release.Notify();
  scheduler.Drain(clock_.Now() + absl::Hours(1));
  for (size_t i = 0; i < x.size(); ++i) EXPECT_THAT(y[i], ElementsAre(x[i][0] + 1, x[i][1] + 1));
  const telemetry::VariantStatistics statistics = variant_->series->statistics();
  EXPECT_EQ(statistics.executions, 2);  // the one that blocked, and the four
  EXPECT_EQ(statistics.samples, 5);
  EXPECT_EQ(statistics.queue.count, 5);
  EXPECT_EQ(statistics.queue.total, 4 * absl::Seconds(1));
  EXPECT_EQ(statistics.compute.count, 5);
  EXPECT_EQ(statistics.batches.at(1).compute.count, 1);
  EXPECT_EQ(statistics.batches.at(4).compute.count, 1);
}

TEST_F(SchedulerTest, RunsARequestThatNobodyJoinedWhenItsDelayIsOver) {
  SchedulerOptions options;  // on the machine's clock
  options.workers = 2;
  options.batch_delay_max = absl::Milliseconds(5);
  Scheduler scheduler(options, metrics_);
  for (int i = 0; i < 3; ++i) {
    absl::Notification done;
    const absl::Time start = absl::Now();
    ASSERT_TRUE(scheduler.Submit(AddOne([&](const Outputs&) { done.Notify(); })).ok());
    ASSERT_TRUE(done.WaitForNotificationWithTimeout(absl::Seconds(30)));
    EXPECT_GE(absl::Now() - start, options.batch_delay_max);
  }
}

TEST_F(SchedulerTest, PreparesThePlanOfABatchThatItLacked) {
  Scheduler scheduler(Options(8), metrics_);
  absl::Notification started;
  absl::Notification release;
  ASSERT_TRUE(scheduler.Submit(Blocking(started, release)).ok());
  started.WaitForNotification();
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(scheduler.Submit(AddOne([](const Outputs&) {})).ok());
  release.Notify();
  while (variant_->stacked->Find({{1, 2}}, 2) == nullptr) std::this_thread::yield();
}

TEST_F(SchedulerTest, LooksAtDeadlineAndCancellationOnAdmission) {
  Scheduler scheduler(Options(2), metrics_);
  const auto never = [](const Outputs&) { ADD_FAILURE() << "refused jobs are not completed"; };
  Job late = AddOne(never);
  late.deadline = clock_.Now();
  EXPECT_EQ(scheduler.Submit(std::move(late)).code(), absl::StatusCode::kDeadlineExceeded);
  Job gone = AddOne(never);
  gone.cancelled = [] { return true; };
  EXPECT_EQ(scheduler.Submit(std::move(gone)).code(), absl::StatusCode::kCancelled);
}

TEST_F(SchedulerTest, LooksAtDeadlineAndCancellationBeforeItRuns) {
  Scheduler scheduler(Options(3), metrics_);
  absl::Notification started;
  absl::Notification release;
  ASSERT_TRUE(scheduler.Submit(Blocking(started, release)).ok());
  started.WaitForNotification();
  absl::StatusCode late_code = absl::StatusCode::kUnknown;
  absl::StatusCode gone_code = absl::StatusCode::kUnknown;
  absl::StatusCode kept_code = absl::StatusCode::kUnknown;
  std::atomic<bool> cancelled{false};
  Job late = AddOne([&](const Outputs& outputs) { late_code = outputs.status().code(); });
  late.deadline = clock_.Now() + absl::Seconds(1);
  Job gone = AddOne([&](const Outputs& outputs) { gone_code = outputs.status().code(); });
  gone.cancelled = [&] { return cancelled.load(); };
  Job kept = AddOne([&](const Outputs& outputs) { kept_code = outputs.status().code(); });
  kept.deadline = clock_.Now() + absl::Seconds(2);
  ASSERT_TRUE(scheduler.Submit(std::move(late)).ok());
  ASSERT_TRUE(scheduler.Submit(std::move(gone)).ok());
  ASSERT_TRUE(scheduler.Submit(std::move(kept)).ok());
  clock_.Advance(absl::Seconds(1));
  cancelled = true;
  release.Notify();
  scheduler.Drain(clock_.Now() + absl::Hours(1));
  EXPECT_EQ(late_code, absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(gone_code, absl::StatusCode::kCancelled);
  EXPECT_EQ(kept_code, absl::StatusCode::kOk);
}

TEST_F(SchedulerTest, DrainsWithinItsTimeAndRefusesAfterwards) {
  Scheduler scheduler(Options(2), metrics_);
  absl::Notification started;
  absl::Notification release;
  ASSERT_TRUE(scheduler.Submit(Blocking(started, release)).ok());
  started.WaitForNotification();
  absl::StatusCode code = absl::StatusCode::kUnknown;
  // The worker is let go only when the drain has given up on the queue.
  ASSERT_TRUE(scheduler
                  .Submit(AddOne([&](const Outputs& outputs) {
                    code = outputs.status().code();
                    release.Notify();
                  }))
                  .ok());
  scheduler.Drain(clock_.Now());
  EXPECT_EQ(code, absl::StatusCode::kUnavailable);
  EXPECT_EQ(scheduler.Submit(AddOne([](const Outputs&) {})).code(), absl::StatusCode::kUnavailable);
}

TEST_F(SchedulerTest, PassesOnWhatThePlanSays) {
  Scheduler scheduler(Options(2), metrics_);
  absl::Notification done;
  Job job = AddOne([&](const Outputs& outputs) {
    EXPECT_EQ(outputs.status().code(), absl::StatusCode::kInvalidArgument);
    done.Notify();
  });
  job.shapes = {{1, 3}};  // the model has [N, 2]
  ASSERT_TRUE(scheduler.Submit(std::move(job)).ok());
  done.WaitForNotification();
}

}  // namespace
}  // namespace fourfold::schedule
