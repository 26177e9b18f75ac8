#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "loadtest/histogram.h"
#include "loadtest/loop.h"

namespace fourfold::loadtest {

// What was measured of one target; warm-up is not in it.
struct Figures {
  // Of calls that were answered OK.
  Histogram latency;            // from the intended time of sending
  Histogram latency_from_send;  // from the actual one
  // Of all calls: how much later than intended they were sent.
  Histogram lateness;
  std::map<absl::StatusCode, int64_t> statuses;
  std::string first_error;  // message of the first call that failed
  int64_t good = 0;         // answered OK, not later than the deadline after the intended time
  Clock::time_point last_done = {};
  std::chrono::nanoseconds busy = {};  // sum of all calls' times from sending to end

  int64_t ok() const;
  int64_t ended() const;  // with any status
  void Merge(const Figures& other);
};

struct RecorderOptions {
  size_t targets = 1;
  std::chrono::nanoseconds deadline = {};        // what counts as good
  std::chrono::nanoseconds late_threshold = {};  // a call sent later than this is late
};

// Takes down what happens to the calls of a run. Thread-safe.
class Recorder {
 public:
  explicit Recorder(const RecorderOptions& options);

  void Add(const Observation& observation);

  // Of one target; of all together.
  Figures Target(size_t target) const;
  Figures All() const;
  int64_t late() const { return late_.load(std::memory_order_relaxed); }

  // For progress: calls that have ended so far, warm-up included.
  int64_t ended() const { return ended_.load(std::memory_order_relaxed); }
  int64_t failed() const { return failed_.load(std::memory_order_relaxed); }

 private:
  const RecorderOptions options_;

  std::atomic<int64_t> late_ = 0;
  std::atomic<int64_t> ended_ = 0;
  std::atomic<int64_t> failed_ = 0;

  mutable absl::Mutex mutex_;
  std::vector<Figures> targets_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace fourfold::loadtest
