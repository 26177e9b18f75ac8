#include "loadtest/open_loop.h"

#include <sys/prctl.h>

#include <algorithm>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace fourfold::loadtest {
namespace {

// Wakes this thread within a microsecond or so of the time it asked for instead of within 50, for
// the object's lifetime.
class PreciseSleep {
 public:
  PreciseSleep() : slack_ns_(prctl(PR_GET_TIMERSLACK)) { prctl(PR_SET_TIMERSLACK, 1UL); }
  ~PreciseSleep() {
    if (slack_ns_ > 0) prctl(PR_SET_TIMERSLACK, static_cast<unsigned long>(slack_ns_));
  }
  PreciseSleep(const PreciseSleep&) = delete;
  PreciseSleep& operator=(const PreciseSleep&) = delete;

 private:
  const int slack_ns_;
};

// Sleeps in steps, so that a stop is seen soon. Sleeping, not spinning: a spinning generator takes
// a core from the server under test.
bool SleepUntil(Clock::time_point time, const std::atomic<bool>& stop) {
  while (!stop.load(std::memory_order_relaxed)) {
    const Clock::time_point now = Clock::now();
    if (now >= time) return true;
    std::this_thread::sleep_for(
        std::min<Clock::duration>(time - now, std::chrono::milliseconds(50)));
  }
  return false;
}

// How many calls are in flight.
class Flights {
 public:
  int64_t count() const {
    const absl::MutexLock lock(&mutex_);
    return count_;
  }
  void Begin() {
    const absl::MutexLock lock(&mutex_);
    ++count_;
  }
  void End() {
    const absl::MutexLock lock(&mutex_);
    --count_;
  }
  void AwaitAll() {
    const absl::MutexLock lock(&mutex_);
    mutex_.Await(absl::Condition(
        +[](int64_t* count) { return *count == 0; }, &count_));
  }

 private:
  mutable absl::Mutex mutex_;
  int64_t count_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace

LoopResult RunOpenLoop(const OpenLoopOptions& options,
                       std::span<const std::chrono::nanoseconds> schedule, const CallOrder& order,
                       const Send& send, const Observe& observe, const std::atomic<bool>& stop) {
  const PreciseSleep precise;
  Flights flights;
  const Clock::time_point begin = Clock::now();
  LoopResult result;
  result.measured_begin = begin + options.warmup;
  for (size_t i = 0; i < schedule.size(); ++i) {
    const Clock::time_point intended = begin + schedule[i];
    if (!SleepUntil(intended, stop)) {
      result.interrupted = true;
      break;
    }
    const bool measured = intended >= result.measured_begin;
    if (flights.count() >= options.in_flight_max) {
      result.not_sent += measured ? 1 : 0;
      continue;
    }
    flights.Begin();
    const Call call = order.At(static_cast<int64_t>(i));
    const Clock::time_point sent = Clock::now();
    send(call, [&observe, &flights, call, measured, intended, sent](const Answer& answer) {
      observe({call, measured, intended, sent, Clock::now(), answer});
      flights.End();
    });
  }
  flights.AwaitAll();
  return result;
}

}  // namespace fourfold::loadtest
