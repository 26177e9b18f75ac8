#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "loadtest/block_means.h"
#include "loadtest/loop.h"

namespace fourfold::loadtest {

// How much longer one target takes than the reference. Above 1: slower.
struct LatencyRatio {
  double ratio = 1;     // geometric mean over rounds of latency / reference's latency
  Interval interval95;  // of the ratio; infinite if there are too few rounds
  int64_t rounds = 0;
};

// Compares targets round by round: each round has one request to every target, sent shortly after
// one another with the same input, so what happens to the machine happens to all of them. The mean
// of log(latency / reference's latency) over rounds gets an interval by batch means (BlockMeans);
// exp of it is the ratio's. Rounds with a failed or unmeasured request are left out. Thread-safe.
class LatencyRatios {
 public:
  LatencyRatios(size_t targets, size_t reference);

  void Add(const Observation& observation);

  // Of `target` against the reference; `confidence` as in BlockMeans.
  LatencyRatio Ratio(size_t target, double confidence = 0.95) const;

 private:
  struct Round {
    std::vector<double> log_latency;
    size_t ended = 0;
    bool whole = true;  // all requests measured and answered
  };

  const size_t targets_;
  const size_t reference_;

  mutable absl::Mutex mutex_;
  // Rounds of which some requests have ended. One whose requests were not all sent stays: at most
  // as many as were given up, or cut off by the end.
  std::map<int64_t, Round> open_ ABSL_GUARDED_BY(mutex_);
  std::vector<BlockMeans> log_ratios_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace fourfold::loadtest
