#include "server/quantize/observer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

namespace fourfold::quantize {
namespace {

constexpr double kFractions[] = {1.0, 0.99999, 0.999, 0.99, 0.9, 0.5};

std::vector<float> Numbers(std::mt19937& random, size_t count) {
  std::normal_distribution<float> normal(0.3f, 1.0f);
  std::vector<float> values(count);
  for (float& value : values) {
    value = normal(random);
    if (random() % 5 == 0) value = 0;
    if (random() % 100 == 0) value *= std::ldexp(1.0f, static_cast<int>(random() % 12));
  }
  return values;
}

void ExpectSame(const TensorObserver& a, const TensorObserver& b) {
  EXPECT_EQ(a.count(), b.count());
  EXPECT_EQ(a.not_finite(), b.not_finite());
  EXPECT_EQ(a.MinMax(), b.MinMax());
  for (double fraction : kFractions)
    EXPECT_EQ(a.Percentile(fraction), b.Percentile(fraction)) << fraction;
}

TEST(TensorObserverTest, DoesNotDependOnOrderSplittingOrMerging) {
  const uint32_t seed = std::random_device()();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  for (int round = 0; round < 50; ++round) {
    std::vector<float> values = Numbers(random, 1 + random() % 3000);
    TensorObserver whole;
    whole.Observe(values);
    std::shuffle(values.begin(), values.end(), random);
    TensorObserver parts;
    std::vector<TensorObserver> workers(4);
    for (size_t i = 0; i < values.size();) {
      const size_t n = std::min<size_t>(values.size() - i, random() % 300);
      const std::span part(values.data() + i, n);
      parts.Observe(part);
      workers[random() % workers.size()].Observe(part);
      i += n;
    }
    ExpectSame(whole, parts);
    TensorObserver merged;
    for (const TensorObserver& worker : workers) merged.Merge(worker);
    ExpectSame(whole, merged);
  }
}

// Numbers at position ceil(tail) from either end, as sorting gives them.
Range SortedPercentile(std::vector<float> values, double fraction) {
  std::sort(values.begin(), values.end());
  const auto tail = static_cast<size_t>((1 - fraction) / 2 * static_cast<double>(values.size()));
  return {values[tail], values[values.size() - 1 - tail]};
}

TEST(TensorObserverTest, PercentilesAreThoseOfSortedNumbersWithinOneBin) {
  const uint32_t seed = std::random_device()();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  const std::vector<float> values = Numbers(random, 50000);
  TensorObserver observer;
  observer.Observe(values);
  const Range all = observer.MinMax();
  const float largest = std::max(std::fabs(all.low), std::fabs(all.high));
  const float bin =
      2 * 2 * largest / TensorObserver::kBins;  // at most: 2^k is below twice the largest
  for (double fraction : kFractions) {
    const Range wanted = SortedPercentile(values, fraction);
    const Range got = observer.Percentile(fraction);
    EXPECT_NEAR(got.low, wanted.low, bin) << fraction;
    EXPECT_NEAR(got.high, wanted.high, bin) << fraction;
    EXPECT_LE(got.low, wanted.low) << "leaves out no more than asked, " << fraction;
    EXPECT_GE(got.high, wanted.high) << fraction;
    EXPECT_GE(got.low, all.low);
    EXPECT_LE(got.high, all.high);
  }
}

TEST(TensorObserverTest, GrowsWhenALargerNumberComes) {
  TensorObserver observer;
  std::vector<float> values(1000, 0.001f);
  observer.Observe(values);
  values.assign(1, 1e30f);
  observer.Observe(values);
  EXPECT_EQ(observer.MinMax(), (Range{0.001f, 1e30f}));
  EXPECT_LE(observer.Percentile(0.99).high, 1e30f / 512);
  TensorObserver together;
  std::vector<float> all(1000, 0.001f);
  all.push_back(1e30f);
  together.Observe(all);
  ExpectSame(observer, together);
}

TEST(TensorObserverTest, BinBordersBelongToTheBinAbove) {
  TensorObserver observer;
  observer.Observe(std::vector<float>{-1.0f, 1.0f, -0.5f, 0.5f, 2.0f, -2.0f});
  EXPECT_EQ(observer.MinMax(), (Range{-2, 2}));
  EXPECT_EQ(observer.count(), 6);
}

TEST(TensorObserverTest, NothingAndZerosGiveAnEmptyRange) {
  TensorObserver observer;
  EXPECT_EQ(observer.MinMax(), (Range{0, 0}));
  EXPECT_EQ(observer.Percentile(0.9), (Range{0, 0}));
  observer.Observe(std::vector<float>{0, 0, -0.0f});
  EXPECT_EQ(observer.MinMax(), (Range{0, 0}));
  EXPECT_EQ(observer.Percentile(0.9), (Range{0, 0}));
  EXPECT_EQ(observer.count(), 3);
  TensorObserver other;
  other.Observe(std::vector<float>{4});
  observer.Merge(other);
  EXPECT_EQ(observer.MinMax(), (Range{0, 4}));
  EXPECT_EQ(observer.count(), 4);
  EXPECT_LT(observer.Percentile(0.4).high, 0.01f) << "three quarters are zeros";
}

TEST(TensorObserverTest, NumbersOfOneSignKeepTheirExtremes) {
  TensorObserver observer;
  observer.Observe(std::vector<float>{-3, -5});
  EXPECT_EQ(observer.MinMax(), (Range{-5, -3}));
}

TEST(TensorObserverTest, PassesOverAndCountsWhatIsNotFinite) {
  TensorObserver observer;
  observer.Observe(std::vector<float>{NAN, 1, INFINITY, -2, -INFINITY});
  EXPECT_EQ(observer.not_finite(), 3);
  EXPECT_EQ(observer.count(), 2);
  EXPECT_EQ(observer.MinMax(), (Range{-2, 1}));
  TensorObserver only;
  only.Observe(std::vector<float>{NAN});
  EXPECT_EQ(only.count(), 0);
  EXPECT_EQ(only.MinMax(), (Range{0, 0}));
  observer.Merge(only);
  EXPECT_EQ(observer.not_finite(), 4);
}

TEST(TensorObserverTest, TheSmallestAndLargestFloatsFit) {
  TensorObserver observer;
  observer.Observe(std::vector<float>{1e-45f, -1e-45f});
  observer.Observe(std::vector<float>{3.4028235e38f, -3.4028235e38f});
  EXPECT_EQ(observer.MinMax(), (Range{-3.4028235e38f, 3.4028235e38f}));
  EXPECT_EQ(observer.count(), 4);
}

}  // namespace
}  // namespace fourfold::quantize
