#include "loadtest/histogram.h"

#include <algorithm>
#include <cmath>
#include <random>
#include <sstream>
#include <string>
#include <tuple>
#include <vector>

#include "gtest/gtest.h"
#include "loadtest/hgrm.h"

namespace fourfold::loadtest {
namespace {

using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::nanoseconds;

// The value that is not exceeded by at least `share` of the values, by sorting.
double ExactQuantile(std::vector<double> values, double share) {
  std::sort(values.begin(), values.end());
  const auto rank = static_cast<size_t>(std::ceil(share * static_cast<double>(values.size())));
  return values[std::max<size_t>(rank, 1) - 1];
}

std::vector<double> LogNormal(uint64_t seed, size_t count) {
  std::mt19937_64 random(seed);
  std::lognormal_distribution<double> distribution(std::log(2e6), 1.5);  // around 2 ms
  std::vector<double> values(count);
  for (double& value : values) value = std::floor(distribution(random));
  return values;
}

Histogram Recorded(const std::vector<double>& values) {
  Histogram histogram;
  for (const double value : values) histogram.Record(nanoseconds(static_cast<int64_t>(value)));
  return histogram;
}

TEST(HistogramTest, QuantilesAreExactToThreeDigits) {
  const std::vector<double> values = LogNormal(1, 100'000);
  const Histogram histogram = Recorded(values);
  for (const double share : {0.0, 0.001, 0.1, 0.5, 0.9, 0.95, 0.99, 0.999, 0.9999, 1.0}) {
    const double exact = ExactQuantile(values, share);
    EXPECT_NEAR(static_cast<double>(histogram.Quantile(share).count()), exact, exact * 0.001)
        << share;
  }
}

TEST(HistogramTest, EveryMagnitudeIsKeptToThreeDigits) {
  for (double value = 1000; value <= 3.6e12; value *= 1.037) {
    Histogram histogram;
    // Between a smaller and a larger one, so that least and largest value do not help.
    const auto middle = nanoseconds(static_cast<int64_t>(value));
    histogram.Record(nanoseconds(1));
    histogram.Record(middle);
    histogram.Record(hours(1));
    EXPECT_NEAR(static_cast<double>(histogram.Quantile(0.5).count()), value, value * 0.001);
  }
}

TEST(HistogramTest, MomentsAndExtremesAreExact) {
  const std::vector<double> values = LogNormal(2, 10'000);
  const Histogram histogram = Recorded(values);
  double mean = 0;
  for (const double value : values) mean += value / static_cast<double>(values.size());
  double variance = 0;
  for (const double value : values) {
    variance += (value - mean) * (value - mean) / static_cast<double>(values.size());
  }
  EXPECT_NEAR(histogram.MeanNs(), mean, mean * 1e-9);
  EXPECT_NEAR(histogram.DeviationNs(), std::sqrt(variance), std::sqrt(variance) * 1e-9);
  EXPECT_EQ(static_cast<double>(histogram.max().count()),
            *std::max_element(values.begin(), values.end()));
  EXPECT_EQ(static_cast<double>(histogram.min().count()),
            *std::min_element(values.begin(), values.end()));
}

TEST(HistogramTest, MergedIsAsRecordedTogether) {
  const std::vector<double> first = LogNormal(3, 5000);
  const std::vector<double> second = LogNormal(4, 777);
  std::vector<double> both = first;
  both.insert(both.end(), second.begin(), second.end());
  Histogram merged = Recorded(first);
  merged.Merge(Recorded(second));
  merged.Merge(Histogram());
  const Histogram together = Recorded(both);
  EXPECT_EQ(merged.count(), together.count());
  EXPECT_EQ(merged.min(), together.min());
  EXPECT_EQ(merged.max(), together.max());
  EXPECT_NEAR(merged.MeanNs(), together.MeanNs(), 1e-3);
  EXPECT_NEAR(merged.DeviationNs(), together.DeviationNs(), 1e-3);
  for (const double share : {0.1, 0.5, 0.99, 0.9999}) {
    EXPECT_EQ(merged.Quantile(share), together.Quantile(share));
  }
}

TEST(HistogramTest, AnHourIsTheLimit) {
  Histogram at;
  at.Record(hours(1));
  EXPECT_EQ(at.beyond(), 0);
  EXPECT_EQ(at.Quantile(1), hours(1));
  Histogram past;
  past.Record(hours(1) + nanoseconds(1));
  EXPECT_EQ(past.beyond(), 1);
  EXPECT_EQ(past.Quantile(1), hours(1));
  Histogram below;
  below.Record(nanoseconds(-5));
  EXPECT_EQ(below.Quantile(1), nanoseconds(0));
}

TEST(HistogramTest, WithoutValuesAllIsZero) {
  const Histogram histogram;
  EXPECT_EQ(histogram.count(), 0);
  EXPECT_EQ(histogram.Quantile(0.99), nanoseconds(0));
  EXPECT_EQ(histogram.min(), nanoseconds(0));
  EXPECT_EQ(histogram.MeanNs(), 0);
}

// The form that HdrHistogram's plotters read: four columns (the last line three), ascending.
TEST(HgrmTest, IsASpectrumOfAllValues) {
  const std::vector<double> values = LogNormal(5, 3000);
  std::vector<double> sorted = values;
  std::sort(sorted.begin(), sorted.end());
  std::istringstream text(ToHgrm(Recorded(values)));
  std::string line;
  std::getline(text, line);
  EXPECT_EQ(line, "       Value     Percentile TotalCount 1/(1-Percentile)");
  std::getline(text, line);
  EXPECT_EQ(line, "");
  double last_value = 0;
  double last_share = 0;
  int64_t last_count = 0;
  while (std::getline(text, line) && line[0] != '#') {
    std::istringstream words(line);
    double value = 0;
    double share = 0;
    int64_t count = 0;
    ASSERT_TRUE(words >> value >> share >> count) << line;
    EXPECT_GT(value, last_value);
    EXPECT_NEAR(share, static_cast<double>(count) / 3000, 1e-9);
    const double exact = sorted[static_cast<size_t>(count) - 1] * 1e-6;
    EXPECT_NEAR(value, exact, exact * 0.001 + 1e-6) << line;
    double inverse = 0;
    EXPECT_EQ(static_cast<bool>(words >> inverse), count < 3000) << line;
    std::tie(last_value, last_share, last_count) = std::tuple(value, share, count);
  }
  EXPECT_EQ(last_count, 3000);
  EXPECT_EQ(last_share, 1);
  EXPECT_EQ(line.substr(0, 10), "#[Mean    ");
}

}  // namespace
}  // namespace fourfold::loadtest
