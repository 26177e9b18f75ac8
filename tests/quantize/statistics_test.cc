#include "server/quantize/statistics.h"

#include <gtest/gtest.h>

#include <cmath>

namespace fourfold::quantize {
namespace {

TEST(LowerBoundOfProportionTest, AllSuccessesHaveAClosedForm) {
  for (int64_t n : {1, 10, 59, 300, 50000}) {
    EXPECT_NEAR(LowerBoundOfProportion(n, n, 0.95), std::pow(0.05, 1.0 / static_cast<double>(n)),
                1e-9)
        << n;
  }
  EXPECT_NEAR(LowerBoundOfProportion(300, 300, 0.95), 0.9901, 5e-5);
}

TEST(LowerBoundOfProportionTest, KnownValues) {
  EXPECT_NEAR(LowerBoundOfProportion(95, 100, 0.95), 0.8977, 5e-5);
  EXPECT_NEAR(LowerBoundOfProportion(5, 10, 0.95), 0.2224, 5e-5);
  EXPECT_NEAR(LowerBoundOfProportion(1, 10, 0.95), 1 - std::pow(0.95, 0.1), 1e-9);
}

// P(X >= k) by the recurrence of the terms.
double Tail(int64_t k, int64_t n, double p) {
  double term = std::pow(1 - p, static_cast<double>(n));
  double tail = 0;
  for (int64_t i = 0; i <= n; ++i) {
    if (i >= k) tail += term;
    term *= static_cast<double>(n - i) / static_cast<double>(i + 1) * p / (1 - p);
  }
  return tail;
}

TEST(LowerBoundOfProportionTest, TheBoundHasTheTailThatDefinesIt) {
  for (int64_t n : {2, 17, 100}) {
    for (int64_t k = 1; k < n; ++k) {
      EXPECT_NEAR(Tail(k, n, LowerBoundOfProportion(k, n, 0.95)), 0.05, 1e-6) << k << " of " << n;
    }
  }
}

TEST(LowerBoundOfProportionTest, NothingSeenBoundsNothing) {
  EXPECT_EQ(LowerBoundOfProportion(0, 100, 0.95), 0);
  EXPECT_EQ(LowerBoundOfProportion(0, 0, 0.95), 0);
}

}  // namespace
}  // namespace fourfold::quantize
