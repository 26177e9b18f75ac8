#include "loadtest/latency_ratios.h"

#include <algorithm>
#include <cmath>

namespace fourfold::loadtest {

LatencyRatios::LatencyRatios(size_t targets, size_t reference)
    : targets_(targets), reference_(reference), log_ratios_(targets) {}

void LatencyRatios::Add(const Observation& observation) {
  const auto latency = std::max<Clock::duration>(observation.done - observation.intended,
                                                 std::chrono::nanoseconds(1));
  const absl::MutexLock lock(&mutex_);
  Round& round = open_[observation.call.round];
  round.log_latency.resize(targets_);
  round.log_latency[observation.call.target] = std::log(static_cast<double>(latency.count()));
  round.whole = round.whole && observation.measured && observation.answer.ok();
  if (++round.ended < targets_) return;
  if (round.whole) {
    for (size_t i = 0; i < targets_; ++i) {
      log_ratios_[i].Add(round.log_latency[i] - round.log_latency[reference_]);
    }
  }
  open_.erase(observation.call.round);
}

LatencyRatio LatencyRatios::Ratio(size_t target, double confidence) const {
  const absl::MutexLock lock(&mutex_);
  const BlockMeans& log_ratio = log_ratios_[target];
  const Interval interval = log_ratio.MeanInterval(confidence);
  return {std::exp(log_ratio.mean()),
          {std::exp(interval.low), std::exp(interval.high)},
          log_ratio.count()};
}

}  // namespace fourfold::loadtest
