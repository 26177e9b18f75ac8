#include "server/schedule/batcher.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "server/registry/load_variant.h"
#include "tests/testing/small_model.h"

namespace fourfold::schedule {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// y = x + 1, x [N, 2]; a variant that took 10 ms when it was measured.
class BatcherTest : public ::testing::Test {
 protected:
  BatcherTest() : variant_(MakeVariant()) {}

  static std::shared_ptr<const registry::Variant> MakeVariant() {
    const std::string onnx = testing::AddModel(1);
    auto variant = std::make_shared<registry::Variant>();
    variant->name = "fp32";
    variant->model = *registry::LoadVariant(std::as_bytes(std::span(onnx)), {});
    variant->stacked = std::make_shared<runtime::StackedPlans>(*variant->model);
    variant->figures.latency.p99_ms = 10;
    return variant;
  }

  void MakePlan(int64_t count) {
    kernels::Sequential sequential;
    variant_->stacked->Claim({{1, 2}}, count);
    ASSERT_TRUE(variant_->stacked->Prepare({{1, 2}}, count, sequential).ok());
  }

  Job JobAt(absl::Duration arrived) {
    Job job;
    job.variant = variant_;
    job.shapes = {{1, 2}};
    job.arrived = start_ + arrived;
    return job;
  }

  static void Add(Batcher& batcher, Job job) { ASSERT_TRUE(batcher.Add(std::move(job)).ok()); }
  void Add(Batcher& batcher, int count) {
    for (int i = 0; i < count; ++i) Add(batcher, JobAt(absl::Milliseconds(i)));
  }

  // Sizes of the batches that are due.
  std::vector<size_t> Sizes(Batcher& batcher, absl::Time now) {
    std::vector<size_t> sizes;
    while (std::optional<Batch> batch = batcher.Next(now, &dropped_)) {
      sizes.push_back(batch->jobs.size());
      EXPECT_EQ(batch->plan != nullptr, batch->jobs.size() > 1);
    }
    return sizes;
  }

  const absl::Time start_ = absl::FromUnixSeconds(1'700'000'000);
  const absl::Time later_ = start_ + absl::Seconds(1);
  const std::shared_ptr<const registry::Variant> variant_;
  std::vector<Batcher::Dropped> dropped_;
};

TEST_F(BatcherTest, TakesWhatWaitsInSizesThatHaveAPlan) {
  MakePlan(2);
  MakePlan(4);
  Batcher batcher({});
  Add(batcher, 7);
  EXPECT_THAT(Sizes(batcher, later_), ElementsAre(4, 2, 1));
  EXPECT_TRUE(batcher.empty());
  EXPECT_EQ(batcher.NextDue(), absl::InfiniteFuture());
}

TEST_F(BatcherTest, AsksOnceForSizesThatHaveNoPlan) {
  MakePlan(2);
  Batcher batcher({});
  Add(batcher, 9);
  EXPECT_THAT(batcher.Next(later_, &dropped_)->jobs.size(), 2);
  std::set<int64_t> counts;
  for (const Batcher::Wanted& wanted : batcher.TakeWanted()) {
    EXPECT_EQ(wanted.variant, variant_);
    EXPECT_THAT(wanted.shapes, ElementsAre(graph::Shape{1, 2}));
    counts.insert(wanted.count);
  }
  EXPECT_THAT(counts, ElementsAre(4, 8));
  EXPECT_THAT(Sizes(batcher, later_), ElementsAre(2, 2, 2, 1));
  EXPECT_THAT(batcher.TakeWanted(), IsEmpty());
}

TEST_F(BatcherTest, LeavesTheOtherWorkersTheirShare) {
  MakePlan(2);
  MakePlan(4);
  MakePlan(8);
  Batcher batcher({.workers = 2});
  Add(batcher, 8);
  EXPECT_THAT(Sizes(batcher, later_), ElementsAre(4, 2, 1, 1));
}

TEST_F(BatcherTest, FillsNoBatchBeyondItsSamples) {
  MakePlan(2);
  MakePlan(4);
  Batcher batcher({.samples_max = 3});
  Add(batcher, 4);
  EXPECT_THAT(Sizes(batcher, later_), ElementsAre(2, 2));
}

TEST_F(BatcherTest, CountsTheSamplesOfARequest) {
  kernels::Sequential sequential;
  const std::vector<graph::Shape> three_rows = {{3, 2}};
  for (int64_t count : {2, 4}) {
    variant_->stacked->Claim(three_rows, count);
    ASSERT_TRUE(variant_->stacked->Prepare(three_rows, count, sequential).ok());
  }
  Batcher batcher({.samples_max = 11});  // three requests of three samples, so two
  for (int i = 0; i < 4; ++i) {
    Job job = JobAt(absl::ZeroDuration());
    job.shapes = three_rows;
    Add(batcher, std::move(job));
  }
  EXPECT_THAT(Sizes(batcher, later_), ElementsAre(2, 2));
}

TEST_F(BatcherTest, MixesNeitherShapesNorVariants) {
  MakePlan(2);
  Batcher batcher({});
  Add(batcher, JobAt(absl::Milliseconds(1)));
  Job wide = JobAt(absl::Milliseconds(2));
  wide.shapes = {{2, 2}};
  Add(batcher, std::move(wide));
  Job other = JobAt(absl::Milliseconds(3));
  other.variant = MakeVariant();
  Add(batcher, std::move(other));
  EXPECT_THAT(Sizes(batcher, later_), ElementsAre(1, 1, 1));
}

TEST_F(BatcherTest, RunsFirstWhatWaitedLongest) {
  Batcher batcher({});
  Job second = JobAt(absl::Milliseconds(2));
  second.shapes = {{2, 2}};
  Add(batcher, std::move(second));
  Add(batcher, JobAt(absl::Milliseconds(1)));
  EXPECT_THAT(batcher.Next(later_, &dropped_)->jobs.front().shapes,
              ElementsAre(graph::Shape{1, 2}));
}

TEST_F(BatcherTest, HoldsARequestBackForTheDelayAndNoLonger) {
  MakePlan(2);
  Batcher batcher({.delay_max = absl::Milliseconds(5)});
  Add(batcher, JobAt(absl::ZeroDuration()));
  Add(batcher, JobAt(absl::Milliseconds(3)));
  EXPECT_EQ(batcher.NextDue(), start_ + absl::Milliseconds(5));
  EXPECT_FALSE(batcher.Next(start_ + absl::Milliseconds(5) - absl::Nanoseconds(1), &dropped_));
  EXPECT_THAT(Sizes(batcher, start_ + absl::Milliseconds(5)), ElementsAre(2));
}

TEST_F(BatcherTest, RunsAFullBatchAtOnceAndUndivided) {
  MakePlan(2);
  MakePlan(4);
  Batcher batcher({.samples_max = 4, .delay_max = absl::Seconds(5), .workers = 2});
  Add(batcher, 5);
  EXPECT_THAT(Sizes(batcher, start_ + absl::Milliseconds(5)), ElementsAre(4));
  EXPECT_EQ(batcher.size(), 1u);
}

TEST_F(BatcherTest, HoldsNothingBackThatCannotBeJoined) {
  auto alone = std::make_shared<registry::Variant>(*MakeVariant());
  alone->stacked = nullptr;
  Batcher batcher({.delay_max = absl::Seconds(5)});
  for (int i = 0; i < 2; ++i) {
    Job job = JobAt(absl::ZeroDuration());
    job.variant = alone;
    Add(batcher, std::move(job));
  }
  EXPECT_THAT(Sizes(batcher, start_), ElementsAre(1, 1));
}

TEST_F(BatcherTest, HoldsNothingBackBeyondItsDeadline) {
  Batcher batcher({.delay_max = absl::Milliseconds(50)});
  Add(batcher, JobAt(absl::ZeroDuration()));
  Job urgent = JobAt(absl::Milliseconds(1));
  urgent.deadline = start_ + absl::Milliseconds(30);
  Add(batcher, std::move(urgent));
  // The variant takes 10 ms.
  EXPECT_EQ(batcher.NextDue(), start_ + absl::Milliseconds(20));
}

TEST_F(BatcherTest, HoldsNothingBackThatNobodyMayJoin) {
  MakePlan(2);
  Batcher batcher({.samples_max = 32, .delay_max = absl::Seconds(5), .queue_max = 2});
  Add(batcher, 1);
  EXPECT_FALSE(batcher.Next(start_ + absl::Milliseconds(1), &dropped_));
  Add(batcher, 1);  // the queue is full
  EXPECT_THAT(Sizes(batcher, start_ + absl::Milliseconds(1)), ElementsAre(2));
}

TEST_F(BatcherTest, HoldsNothingBackAfterStopHolding) {
  Batcher batcher({.delay_max = absl::Seconds(5)});
  Add(batcher, JobAt(absl::ZeroDuration()));
  batcher.StopHolding();
  EXPECT_THAT(Sizes(batcher, start_), ElementsAre(1));
}

TEST_F(BatcherTest, RefusesOneMoreThanMayWaitOfAVariant) {
  Batcher batcher({.queue_max = 2});
  Add(batcher, 2);
  Job refused = JobAt(absl::ZeroDuration());
  EXPECT_EQ(batcher.Add(std::move(refused)).code(), absl::StatusCode::kResourceExhausted);
  EXPECT_NE(refused.variant, nullptr) << "a refused job is left as it was";
  Job other = JobAt(absl::ZeroDuration());
  other.variant = MakeVariant();
  EXPECT_TRUE(batcher.Add(std::move(other)).ok()) << "another variant has a queue of its own";
  EXPECT_TRUE(batcher.Next(later_, &dropped_));
  EXPECT_TRUE(batcher.Add(JobAt(absl::ZeroDuration())).ok());
}

TEST_F(BatcherTest, DropsWhatIsNotWantedWhenABatchIsFormed) {
  MakePlan(2);
  Batcher batcher({});
  Job late = JobAt(absl::ZeroDuration());
  late.deadline = later_;
  Job gone = JobAt(absl::ZeroDuration());
  gone.cancelled = [] { return true; };
  Add(batcher, JobAt(absl::ZeroDuration()));
  Add(batcher, std::move(late));
  Add(batcher, std::move(gone));
  Add(batcher, JobAt(absl::ZeroDuration()));
  EXPECT_THAT(Sizes(batcher, later_), ElementsAre(2));
  ASSERT_EQ(dropped_.size(), 2u);
  EXPECT_EQ(dropped_[0].why.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(dropped_[1].why.code(), absl::StatusCode::kCancelled);
  EXPECT_TRUE(batcher.empty());
}

TEST_F(BatcherTest, DropsAQueueOfWhichNothingIsWanted) {
  Batcher batcher({});
  for (int i = 0; i < 3; ++i) {
    Job gone = JobAt(absl::ZeroDuration());
    gone.cancelled = [] { return true; };
    Add(batcher, std::move(gone));
  }
  EXPECT_FALSE(batcher.Next(later_, &dropped_));
  EXPECT_EQ(dropped_.size(), 3u);
  EXPECT_TRUE(batcher.empty());
}

TEST_F(BatcherTest, HandsBackAllThatWaits) {
  Batcher batcher({});
  Add(batcher, 3);
  EXPECT_EQ(batcher.TakeAll().size(), 3u);
  EXPECT_TRUE(batcher.empty());
  Add(batcher, 1);
  EXPECT_EQ(batcher.size(), 1u);
}

}  // namespace
}  // namespace fourfold::schedule
