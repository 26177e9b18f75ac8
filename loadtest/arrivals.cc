#include "loadtest/arrivals.h"

#include <cmath>
#include <random>

namespace fourfold::loadtest {

std::vector<std::chrono::nanoseconds> ArrivalTimes(const ArrivalOptions& options) {
  std::mt19937_64 random(options.seed);
  const double end = static_cast<double>(options.duration.count());
  const double mean_gap = 1e9 / options.rate_per_s;
  std::vector<std::chrono::nanoseconds> times;
  double at = 0;
  int64_t counted = 0;
  for (int64_t i = 0; counted < options.count_max; ++i) {
    if (options.arrivals == Arrivals::kConstant) {
      at = static_cast<double>(i) * mean_gap;
    } else {
      // By inversion, from the 53 upper bits: the standard's distributions differ between
      // libraries.
      const double uniform = static_cast<double>(random() >> 11) * 0x1p-53;
      at += -std::log1p(-uniform) * mean_gap;
    }
    if (at >= end) break;
    times.emplace_back(static_cast<int64_t>(at));
    if (times.back() >= options.count_from) ++counted;
  }
  return times;
}

}  // namespace fourfold::loadtest
