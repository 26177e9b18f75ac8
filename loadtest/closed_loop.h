#pragma once

#include <atomic>

#include "loadtest/loop.h"

namespace fourfold::loadtest {

struct ClosedLoopOptions {
  int concurrency = 1;                     // requests in flight at any time
  std::chrono::nanoseconds warmup = {};    // what is sent in it is not measured
  std::chrono::nanoseconds duration = {};  // of sending, after the warm-up
  int64_t requests_max = INT64_MAX;        // measured requests
};

// Sends the next request when an earlier one has been answered: the server sets the pace. While it
// stalls, nothing is sent, so that a stall is one slow request however long it lasts; for what
// users would see, use the open loop. Returns when all calls have ended, soon after `stop` becomes
// true.
LoopResult RunClosedLoop(const ClosedLoopOptions& options, const CallOrder& order, const Send& send,
                         const Observe& observe, const std::atomic<bool>& stop);

}  // namespace fourfold::loadtest
