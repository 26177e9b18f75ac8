#include "loadtest/arrivals.h"

#include <cmath>

#include "gtest/gtest.h"

namespace fourfold::loadtest {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;

TEST(ArrivalTimesTest, ConstantArrivalsHaveEqualGaps) {
  const auto times = ArrivalTimes({.arrivals = Arrivals::kConstant,
                                   .rate_per_s = 250,
                                   .duration = seconds(2),
                                   .count_max = 1000});
  ASSERT_EQ(times.size(), 500u);  // the end itself is not in it
  for (size_t i = 0; i < times.size(); ++i) EXPECT_EQ(times[i], milliseconds(4) * i);
}

TEST(ArrivalTimesTest, PoissonGapsAreExponentiallyDistributed) {
  const auto times =
      ArrivalTimes({.rate_per_s = 1000, .duration = seconds(200), .count_max = 1000000});
  // The number of arrivals has mean and variance 200000: five deviations are 2236.
  EXPECT_NEAR(static_cast<double>(times.size()), 200'000, 2236);
  const auto n = static_cast<double>(times.size() - 1);
  double sum = 0;
  double squares = 0;
  double longer_than_mean = 0;
  double product = 0;  // of neighbours, for their correlation
  double before = 1e6;
  for (size_t i = 1; i < times.size(); ++i) {
    const auto gap = static_cast<double>((times[i] - times[i - 1]).count());
    sum += gap;
    squares += gap * gap;
    if (gap > 1e6) ++longer_than_mean;
    product += (gap - 1e6) * (before - 1e6);
    before = gap;
  }
  const double mean = sum / n;
  EXPECT_NEAR(mean, 1e6, 1e6 * 0.012);
  EXPECT_NEAR(std::sqrt(squares / n - mean * mean) / mean, 1, 0.02);
  EXPECT_NEAR(longer_than_mean / n, std::exp(-1), 0.006);
  EXPECT_NEAR(product / n / 1e12, 0, 0.012);
}

TEST(ArrivalTimesTest, TheSameSeedGivesTheSameTimes) {
  const auto times = [](uint64_t seed) {
    return ArrivalTimes(
        {.rate_per_s = 100, .duration = seconds(1), .count_max = 1000, .seed = seed});
  };
  EXPECT_EQ(times(3), times(3));
  EXPECT_NE(times(3), times(4));
}

TEST(ArrivalTimesTest, TheCountIsLimitedFromATimeOn) {
  const auto times = ArrivalTimes({.arrivals = Arrivals::kConstant,
                                   .rate_per_s = 10,
                                   .duration = seconds(100),
                                   .count_max = 5,
                                   .count_from = seconds(2)});
  ASSERT_EQ(times.size(), 25u);  // 20 before, 5 from there
  EXPECT_EQ(times.back(), milliseconds(2400));
}

}  // namespace
}  // namespace fourfold::loadtest
