#pragma once

#include <chrono>
#include <cstdint>
#include <vector>

namespace fourfold::loadtest {

enum class Arrivals : uint8_t {
  kPoisson,   // independent users: gaps are exponentially distributed
  kConstant,  // equal gaps
};

struct ArrivalOptions {
  Arrivals arrivals = Arrivals::kPoisson;
  double rate_per_s = 1;                     // above 0
  std::chrono::nanoseconds duration = {};    // arrivals from 0 up to here, without the end
  int64_t count_max = 0;                     // no more than so many ...
  std::chrono::nanoseconds count_from = {};  // ... at this time or later
  uint64_t seed = 1;                         // the same seed gives the same times, on every machine
};

// The times at which requests are to be sent, counted from the beginning of the run; ascending. All
// of an open loop's randomness in time is here, before the first request is sent.
std::vector<std::chrono::nanoseconds> ArrivalTimes(const ArrivalOptions& options);

}  // namespace fourfold::loadtest
