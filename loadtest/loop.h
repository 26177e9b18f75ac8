#pragma once

#include <chrono>
#include <cstdint>
#include <functional>

#include "absl/status/statusor.h"
#include "client/encoded.h"
#include "loadtest/call_order.h"

namespace fourfold::loadtest {

// What the closed and the open loop have in common.

using Clock = std::chrono::steady_clock;
using Answer = absl::StatusOr<client::EncodedResponse>;

// Starts one call and returns without waiting for its answer. `done` is called once, later, on
// another thread.
using Send = std::function<void(const Call& call, std::function<void(const Answer&)> done)>;

// One call that has ended.
struct Observation {
  Call call;
  bool measured;               // false: warm-up
  Clock::time_point intended;  // when it should have been sent; in a closed loop when it was
  Clock::time_point sent;
  Clock::time_point done;
  const Answer& answer;
};

// Is told of every call; from any thread, also from several at once.
using Observe = std::function<void(const Observation&)>;

struct LoopResult {
  Clock::time_point measured_begin;  // end of the warm-up
  int64_t not_sent = 0;              // measured calls given up because too many were in flight
  bool interrupted = false;          // `stop` ended it
};

}  // namespace fourfold::loadtest
