#pragma once

#include <atomic>
#include <span>

#include "loadtest/loop.h"

namespace fourfold::loadtest {

struct OpenLoopOptions {
  std::chrono::nanoseconds warmup = {};  // what is due in it is not measured
  int64_t in_flight_max = 10'000;        // a call that would be one more is given up
};

// Sends each request at its time of `schedule` (from the beginning, ascending), whether or not
// earlier ones have been answered, as users who do not know of each other do. Latency is to be
// counted from the intended time: a request that waits behind a stall has waited, even if the
// generator itself could not send it in time (G. Tene's "coordinated omission"). Returns when all
// calls have ended; sends nothing more after `stop` becomes true.
LoopResult RunOpenLoop(const OpenLoopOptions& options,
                       std::span<const std::chrono::nanoseconds> schedule, const CallOrder& order,
                       const Send& send, const Observe& observe, const std::atomic<bool>& stop);

}  // namespace fourfold::loadtest
