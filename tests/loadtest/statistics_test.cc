#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <map>
#include <random>
#include <set>
#include <vector>

#include "client/client.h"
#include "gtest/gtest.h"
#include "loadtest/block_means.h"
#include "loadtest/call_order.h"
#include "loadtest/latency_ratios.h"
#include "loadtest/student_t.h"

namespace fourfold::loadtest {
namespace {

// Printed tables of Student's t distribution.
TEST(StudentTQuantileTest, AgreesWithTables) {
  EXPECT_NEAR(StudentTQuantile(0.975, 1), 12.706, 5e-4);
  EXPECT_NEAR(StudentTQuantile(0.975, 2), 4.303, 5e-4);
  EXPECT_NEAR(StudentTQuantile(0.95, 5), 2.015, 5e-4);
  EXPECT_NEAR(StudentTQuantile(0.995, 5), 4.032, 5e-4);
  EXPECT_NEAR(StudentTQuantile(0.975, 10), 2.228, 5e-4);
  EXPECT_NEAR(StudentTQuantile(0.975, 30), 2.042, 5e-4);
  EXPECT_NEAR(StudentTQuantile(0.9995, 30), 3.646, 5e-4);
  EXPECT_NEAR(StudentTQuantile(0.975, 120), 1.980, 5e-4);
  EXPECT_NEAR(StudentTQuantile(0.5, 7), 0, 1e-9);
  // One degree of freedom is Cauchy's distribution: tan(pi (p - 1/2)).
  EXPECT_NEAR(StudentTQuantile(0.9999, 1), 3183.0988, 1e-3);
}

// Independent values: 3, 5, 7, 9, ... have mean 10 and deviation 4.8990; t(0.975, 7) = 2.3646.
TEST(BlockMeansTest, FewValuesHaveThePlainTInterval) {
  BlockMeans means;
  for (int i = 0; i < 8; ++i) means.Add(3 + 2 * i);
  EXPECT_DOUBLE_EQ(means.mean(), 10);
  const Interval interval = means.MeanInterval(0.95);
  const double half = 2.3646 * 4.8990 / std::sqrt(8);
  EXPECT_NEAR(interval.low, 10 - half, 1e-3);
  EXPECT_NEAR(interval.high, 10 + half, 1e-3);
}

TEST(BlockMeansTest, TooFewValuesHaveNoInterval) {
  BlockMeans means;
  for (int i = 0; i < 7; ++i) means.Add(i);
  EXPECT_TRUE(std::isinf(means.MeanInterval(0.95).high));
  means.Add(7);
  EXPECT_TRUE(std::isfinite(means.MeanInterval(0.95).high));
}

TEST(BlockMeansTest, KeepsFewBlocksAndTheExactMean) {
  BlockMeans means;
  double sum = 0;
  for (int i = 0; i < 100'003; ++i) {
    means.Add(i % 17);
    sum += i % 17;
    ASSERT_LT(means.blocks(), 2 * BlockMeans::kBlocksMin);
  }
  EXPECT_GE(means.blocks(), BlockMeans::kBlocksMin);
  EXPECT_NEAR(means.mean(), sum / 100'003, 1e-12);
}

// How often the 95% interval of n values holds the true mean, 0. Each value is phi times the one
// before plus noise: neighbours are alike.
double Coverage(double phi, int n, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::normal_distribution<double> noise;
  constexpr int kTrials = 1000;
  int held = 0;
  for (int trial = 0; trial < kTrials; ++trial) {
    BlockMeans means;
    double value = noise(random) / std::sqrt(1 - phi * phi);
    for (int i = 0; i < n; ++i) {
      means.Add(value);
      value = phi * value + noise(random);
    }
    const Interval interval = means.MeanInterval(0.95);
    if (interval.low <= 0 && 0 <= interval.high) ++held;
  }
  return static_cast<double>(held) / kTrials;
}

// One deviation of a share of 0.95 in 1000 trials is 0.007.
TEST(BlockMeansTest, TheIntervalHoldsTheMeanAsOftenAsItSays) {
  EXPECT_NEAR(Coverage(0, 40, 1), 0.95, 0.025);
  EXPECT_NEAR(Coverage(0, 5000, 2), 0.95, 0.025);
}

// Taken as independent these would hold it in 49% of trials (deviation of the mean 3 times larger).
TEST(BlockMeansTest, DependentNeighboursDoNotMakeItTooNarrow) {
  EXPECT_NEAR(Coverage(0.8, 5000, 3), 0.95, 0.025);
}

TEST(CallOrderTest, EachRoundCallsEveryTargetOnceWithTheSameInput) {
  const CallOrder order(4, 3, 9);
  for (int64_t round = 0; round < 100; ++round) {
    std::set<size_t> targets;
    for (int64_t i = 0; i < 4; ++i) {
      const Call call = order.At(4 * round + i);
      EXPECT_EQ(call.index, 4 * round + i);
      EXPECT_EQ(call.round, round);
      EXPECT_EQ(call.input, static_cast<size_t>(round % 3));
      targets.insert(call.target);
    }
    EXPECT_EQ(targets.size(), 4u);
  }
}

// Chi-square with 5 degrees of freedom stays below 20.5 with probability 0.999.
TEST(CallOrderTest, AllOrdersAreEquallyFrequent) {
  for (const uint64_t seed : {1, 2, 3}) {
    const CallOrder order(3, 1, seed);
    std::map<std::array<size_t, 3>, double> counts;
    for (int64_t round = 0; round < 6000; ++round) {
      ++counts[{order.At(3 * round).target, order.At(3 * round + 1).target,
                order.At(3 * round + 2).target}];
    }
    ASSERT_EQ(counts.size(), 6u);
    double chi_square = 0;
    for (const auto& [permutation, count] : counts)
      chi_square += (count - 1000) * (count - 1000) / 1000;
    EXPECT_LT(chi_square, 20.5) << "seed " << seed;
  }
}

class LatencyRatiosTest : public testing::Test {
 protected:
  void Add(int64_t round, size_t target, double ms, bool measured = true, bool ok = true) {
    const Answer answer = ok ? good_ : Answer(absl::InternalError("bad"));
    const auto latency = std::chrono::nanoseconds(static_cast<int64_t>(ms * 1e6));
    ratios_.Add({{0, round, target, 0}, measured, begin_, begin_, begin_ + latency, answer});
  }

  LatencyRatios ratios_{3, 1};
  const Clock::time_point begin_ = Clock::now();
  const Answer good_ = client::EncodedResponse(client::InferResponse());
};

TEST_F(LatencyRatiosTest, IsTheGeometricMeanOfRoundsRatios) {
  for (int round = 0; round < 10; ++round) {
    Add(round, 2, round % 2 == 0 ? 8 : 2);  // 4 and 1 times the reference
    Add(round, 0, 1);
    Add(round, 1, 2);
  }
  EXPECT_NEAR(ratios_.Ratio(2).ratio, 2, 1e-9);
  EXPECT_NEAR(ratios_.Ratio(0).ratio, 0.5, 1e-9);
  EXPECT_EQ(ratios_.Ratio(1).ratio, 1);
  EXPECT_EQ(ratios_.Ratio(0).rounds, 10);
  EXPECT_NEAR(ratios_.Ratio(0).interval95.low, 0.5, 1e-9);  // each round says the same
  EXPECT_LT(ratios_.Ratio(2).interval95.low, 1.5);
  EXPECT_GT(ratios_.Ratio(2).interval95.high, 2.5);
}

TEST_F(LatencyRatiosTest, RoundsThatAreNotWholeAreLeftOut) {
  for (size_t target = 0; target < 3; ++target) Add(0, target, 1, /*measured=*/target != 1);
  for (size_t target = 0; target < 3; ++target) Add(1, target, 1, true, /*ok=*/target != 2);
  Add(2, 0, 1);
  Add(2, 1, 1);
  EXPECT_EQ(ratios_.Ratio(0).rounds, 0);
  Add(2, 2, 3);
  EXPECT_EQ(ratios_.Ratio(0).rounds, 1);
}

// Latencies that drift and jump for all targets alike, as on a busy machine: one target is a fifth
// slower, one is the same. Seeds are fixed; the intervals' half-widths are about 0.005.
TEST_F(LatencyRatiosTest, FindsADifferenceMuchSmallerThanTheNoise) {
  std::mt19937_64 random(11);
  std::normal_distribution<double> noise;
  double drift = 0;
  for (int round = 0; round < 4000; ++round) {
    drift = 0.99 * drift + 0.1 * noise(random);
    const double level = 5 * std::exp(drift);
    Add(round, 0, 1.2 * level * std::exp(0.1 * noise(random)));
    Add(round, 1, level * std::exp(0.1 * noise(random)));
    Add(round, 2, level * std::exp(0.1 * noise(random)));
  }
  const LatencyRatio slower = ratios_.Ratio(0);
  EXPECT_LT(slower.interval95.low, 1.2);
  EXPECT_GT(slower.interval95.high, 1.2);
  EXPECT_LT(slower.interval95.high - slower.interval95.low, 0.03);
  const LatencyRatio same = ratios_.Ratio(2);
  EXPECT_LT(same.interval95.low, 1);
  EXPECT_GT(same.interval95.high, 1);
}

}  // namespace
}  // namespace fourfold::loadtest
