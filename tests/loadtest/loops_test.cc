#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <thread>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "client/client.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "loadtest/closed_loop.h"
#include "loadtest/generator.h"
#include "loadtest/open_loop.h"
#include "loadtest/recorder.h"

namespace fourfold::loadtest {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;

// Answers each call on a thread of its own after a time.
class FakeTarget {
 public:
  explicit FakeTarget(nanoseconds delay) : delay_(delay) {}
  ~FakeTarget() {
    for (std::thread& thread : threads_) thread.join();
  }

  Send send() {
    return [this](const Call& call, std::function<void(const Answer&)> done) {
      std::this_thread::sleep_for(send_time);
      const absl::MutexLock lock(&mutex_);
      sent.push_back(call);
      in_flight_max = std::max(in_flight_max, ++in_flight_);
      threads_.emplace_back([this, done = std::move(done)] {
        std::this_thread::sleep_for(delay_);
        {
          const absl::MutexLock in(&mutex_);
          --in_flight_;
        }
        done(Answer(client::EncodedResponse(client::InferResponse())));
      });
    };
  }

  nanoseconds send_time = {};  // what starting a call costs the generator
  std::vector<Call> sent;
  int in_flight_max = 0;

 private:
  const nanoseconds delay_;
  absl::Mutex mutex_;
  int in_flight_ = 0;
  std::vector<std::thread> threads_;
};

class LoopsTest : public testing::Test {
 protected:
  Observe observe() {
    return [this](const Observation& observation) {
      const absl::MutexLock lock(&mutex_);
      (observation.measured ? measured_ : warmup_) += 1;
      recorder_.Add(observation);
    };
  }

  GeneratorReport Judge(const LoopResult& result) const {
    return JudgeGenerator(
        recorder_.All().lateness,
        {.late_threshold = milliseconds(1), .late = recorder_.late(), .not_sent = result.not_sent});
  }

  std::atomic<bool> stop_ = false;
  absl::Mutex mutex_;
  int measured_ = 0;
  int warmup_ = 0;
  Recorder recorder_{{.deadline = seconds(10), .late_threshold = milliseconds(1)}};
  const CallOrder order_{1, 1, 1};
};

std::vector<nanoseconds> EveryMillisecond(int64_t step, int64_t count) {
  std::vector<nanoseconds> times;
  for (int64_t i = 0; i < count; ++i) times.push_back(milliseconds(i * step));
  return times;
}

TEST_F(LoopsTest, TheClosedLoopKeepsItsConcurrency) {
  FakeTarget target(milliseconds(5));
  RunClosedLoop({.concurrency = 3, .duration = seconds(60), .requests_max = 30}, order_,
                target.send(), observe(), stop_);
  EXPECT_EQ(target.sent.size(), 30u);
  EXPECT_EQ(target.in_flight_max, 3);
  EXPECT_EQ(measured_, 30);
}

TEST_F(LoopsTest, TheClosedLoopEndsWithItsDurationAndLeavesOutTheWarmup) {
  FakeTarget target(milliseconds(10));
  const auto begin = Clock::now();
  const LoopResult result =
      RunClosedLoop({.concurrency = 1, .warmup = milliseconds(200), .duration = milliseconds(300)},
                    order_, target.send(), observe(), stop_);
  EXPECT_GE(Clock::now() - begin, milliseconds(500));
  EXPECT_GE(result.measured_begin - begin, milliseconds(200));
  EXPECT_GT(warmup_, 0);
  EXPECT_LE(warmup_, 20);
  EXPECT_GT(measured_, 0);
  EXPECT_LE(measured_, 30);
  EXPECT_FALSE(result.interrupted);
}

TEST_F(LoopsTest, TheOpenLoopSendsWithoutWaitingForAnswers) {
  FakeTarget target(milliseconds(300));
  const auto schedule = EveryMillisecond(2, 50);
  const LoopResult result = RunOpenLoop({}, schedule, order_, target.send(), observe(), stop_);
  EXPECT_EQ(target.in_flight_max, 50);
  EXPECT_EQ(measured_, 50);
  EXPECT_EQ(result.not_sent, 0);
  // Never before its time.
  EXPECT_GE(recorder_.All().lateness.min(), nanoseconds(0));
}

TEST_F(LoopsTest, TheOpenLoopLeavesOutTheWarmup) {
  FakeTarget target(milliseconds(1));
  RunOpenLoop({.warmup = milliseconds(50)}, EveryMillisecond(10, 12), order_, target.send(),
              observe(), stop_);
  EXPECT_EQ(warmup_, 5);
  EXPECT_EQ(measured_, 7);
}

// Four fit; the fifth is given up, which counts against the generator.
TEST_F(LoopsTest, CallsBeyondTheInFlightLimitAreGivenUpAndReported) {
  FakeTarget target(milliseconds(500));
  const LoopResult at = RunOpenLoop({.in_flight_max = 4}, EveryMillisecond(1, 4), order_,
                                    target.send(), observe(), stop_);
  EXPECT_EQ(at.not_sent, 0);
  EXPECT_TRUE(Judge(at).trusted() || recorder_.late() > 0);
  FakeTarget second(milliseconds(500));
  const LoopResult past = RunOpenLoop({.in_flight_max = 4}, EveryMillisecond(1, 5), order_,
                                      second.send(), observe(), stop_);
  EXPECT_EQ(past.not_sent, 1);
  EXPECT_EQ(second.sent.size(), 4u);
  const GeneratorReport report = Judge(past);
  EXPECT_FALSE(report.trusted());
  EXPECT_THAT(report.doubts, testing::Contains(testing::HasSubstr("1 requests were not sent")));
}

// Starting a call takes 10 ms but one is due every 5 ms: after 40 calls it is 200 ms late, and the
// latency from the intended time shows it while that from the actual sending does not.
TEST_F(LoopsTest, AStarvedGeneratorIsReportedAndItsLatenessCountsAsLatency) {
  FakeTarget target(milliseconds(1));
  target.send_time = milliseconds(10);
  const LoopResult result =
      RunOpenLoop({}, EveryMillisecond(5, 40), order_, target.send(), observe(), stop_);
  const GeneratorReport report = Judge(result);
  EXPECT_FALSE(report.trusted());
  EXPECT_GT(report.late_share, 0.9);
  EXPECT_GE(report.late_max, milliseconds(190));
  EXPECT_THAT(report.doubts, testing::Contains(testing::HasSubstr("the generator was late")));
  const Figures figures = recorder_.All();
  EXPECT_GE(figures.latency.max(), milliseconds(200));
  EXPECT_GE(figures.latency.MeanNs() - figures.latency_from_send.MeanNs(), 80e6);
}

TEST_F(LoopsTest, AStopEndsBothLoopsEarly) {
  const auto stop_soon = [this] {
    return std::thread([this] {
      std::this_thread::sleep_for(milliseconds(150));
      stop_ = true;
    });
  };
  FakeTarget target(milliseconds(5));
  std::thread stopper = stop_soon();
  const auto begin = Clock::now();
  const LoopResult open =
      RunOpenLoop({}, EveryMillisecond(100, 600), order_, target.send(), observe(), stop_);
  stopper.join();
  EXPECT_TRUE(open.interrupted);
  EXPECT_GT(measured_, 0);
  stop_ = false;
  stopper = stop_soon();
  const LoopResult closed = RunClosedLoop({.concurrency = 2, .duration = seconds(60)}, order_,
                                          target.send(), observe(), stop_);
  stopper.join();
  EXPECT_TRUE(closed.interrupted);
  EXPECT_LT(Clock::now() - begin, seconds(30));
}

TEST(LateThresholdTest, IsTheLargerOfAMillisecondAndATenthOfTheGap) {
  EXPECT_EQ(LateThreshold(1000), milliseconds(1));
  EXPECT_EQ(LateThreshold(100), milliseconds(1));
  EXPECT_EQ(LateThreshold(50), milliseconds(2));
  EXPECT_EQ(LateThreshold(0), milliseconds(1));
}

TEST(JudgeGeneratorTest, OnePercentOfLateSendsIsTheLimit) {
  Histogram lateness;
  for (int i = 0; i < 1000; ++i) lateness.Record(nanoseconds(i));
  EXPECT_TRUE(JudgeGenerator(lateness, {.late = 10}).trusted());
  EXPECT_FALSE(JudgeGenerator(lateness, {.late = 11}).trusted());
}

TEST(JudgeGeneratorTest, AGeneratorThatUsesTheWholeMachineIsDoubted) {
  const GeneratorFacts at = {.cpu_seconds = 18, .wall_seconds = 10, .cores = 2};
  const GeneratorFacts past = {.cpu_seconds = 18.1, .wall_seconds = 10, .cores = 2};
  EXPECT_TRUE(JudgeGenerator(Histogram(), at).trusted());
  EXPECT_FALSE(JudgeGenerator(Histogram(), past).trusted());
}

TEST(RecorderTest, CountsEveryStatusAndWhatWasGood) {
  Recorder recorder(
      {.targets = 2, .deadline = milliseconds(10), .late_threshold = milliseconds(1)});
  const auto begin = Clock::now();
  const Answer ok = client::EncodedResponse(client::InferResponse());
  const auto add = [&](size_t target, int latency_ms, const Answer& answer, bool measured = true) {
    recorder.Add({{0, 0, target, 0},
                  measured,
                  begin,
                  begin + milliseconds(2),
                  begin + milliseconds(latency_ms),
                  answer});
  };
  add(0, 10, ok);
  add(0, 11, ok);  // answered, but later than the deadline after the intended time
  add(1, 5, Answer(absl::UnavailableError("gone")));
  add(1, 5, Answer(absl::DeadlineExceededError("slow")));
  add(1, 5, ok, /*measured=*/false);
  EXPECT_EQ(recorder.Target(0).ok(), 2);
  EXPECT_EQ(recorder.Target(0).good, 1);
  EXPECT_EQ(recorder.Target(0).latency_from_send.max(), milliseconds(9));
  const Figures all = recorder.All();
  EXPECT_EQ(all.ended(), 4);
  EXPECT_EQ(all.statuses.at(absl::StatusCode::kUnavailable), 1);
  EXPECT_EQ(all.statuses.at(absl::StatusCode::kDeadlineExceeded), 1);
  EXPECT_EQ(all.first_error, "gone");
  EXPECT_EQ(all.latency.count(), 2);
  EXPECT_EQ(recorder.late(), 4);  // 2 ms each
  EXPECT_EQ(recorder.ended(), 5);
  EXPECT_EQ(recorder.failed(), 2);
}

}  // namespace
}  // namespace fourfold::loadtest
