#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <vector>

namespace fourfold::loadtest {

// Durations up to an hour, each kept to three significant digits, in constant memory (256 KiB).
// Buckets are log-linear as in Gil Tene's HdrHistogram: 2048 of 1 ns, then per power of two 1024 of
// doubled width, so that a bucket is never wider than a thousandth of its values. Count, mean,
// standard deviation, least and largest value are exact. Not thread-safe.
class Histogram {
 public:
  using Duration = std::chrono::nanoseconds;
  static constexpr Duration kMax = std::chrono::hours(1);

  Histogram();

  // A negative value counts as 0, one beyond kMax as kMax (and in `beyond`).
  void Record(Duration value);
  // Afterwards this has recorded all that `other` has.
  void Merge(const Histogram& other);

  int64_t count() const { return count_; }
  int64_t beyond() const { return beyond_; }  // values that were larger than kMax
  // The following are 0 while count() is.
  Duration min() const { return count_ == 0 ? Duration() : Duration(min_); }
  Duration max() const { return Duration(max_); }
  double MeanNs() const;
  double DeviationNs() const;  // standard deviation

  // The least recorded value (its bucket's middle) that is not exceeded by at least `share`, from 0
  // to 1, of all values.
  Duration Quantile(double share) const;

  // Calls visit(value, count) for each bucket that is not empty, ascending; `value` is the largest
  // that the bucket may hold.
  void ForEachBucket(const std::function<void(Duration value, int64_t count)>& visit) const;

 private:
  std::vector<int64_t> counts_;
  int64_t count_ = 0;
  int64_t beyond_ = 0;
  int64_t min_ = INT64_MAX;
  int64_t max_ = 0;
  // Running mean and sum of squared deviations from it (Welford 1962), nanoseconds.
  double mean_ = 0;
  double squares_ = 0;
};

}  // namespace fourfold::loadtest
