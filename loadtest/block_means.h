#pragma once

#include <cstdint>
#include <vector>

namespace fourfold::loadtest {

struct Interval {
  double low = 0;
  double high = 0;
};

// The mean of a series whose values depend on their neighbours (latencies on one machine do), with
// a confidence interval that respects it: the series is cut into blocks of equal length, and a t
// interval is made of the blocks' means, which hardly depend on each other if blocks are long
// ("batch means": Law and Kelton, Simulation Modeling and Analysis, section 9.5.3; that 10 to 30
// blocks are enough: Schmeiser 1982, Batch size effects in the analysis of simulation output).
//
// Constant memory: when 2 * kBlocksMin blocks are full, neighbours are joined and blocks become
// twice as long, so that there are kBlocksMin to 2 * kBlocksMin - 1. Not thread-safe.
class BlockMeans {
 public:
  static constexpr int kBlocksMin = 24;
  // With fewer values than this there is no interval.
  static constexpr int64_t kValuesMin = 8;

  void Add(double value);

  int64_t count() const { return count_; }
  double mean() const { return count_ == 0 ? 0 : sum_ / static_cast<double>(count_); }
  int blocks() const { return static_cast<int>(means_.size()); }
  // mean() -+ t * standard error, of `confidence` below 1. Without bounds (infinite) for fewer than
  // kValuesMin values. Less than kBlocksMin values are blocks of one: taken as independent.
  Interval MeanInterval(double confidence) const;

 private:
  int64_t count_ = 0;
  double sum_ = 0;
  int64_t block_length_ = 1;
  std::vector<double> means_;  // of full blocks
  double open_sum_ = 0;        // of the values that are in no full block yet
  int64_t open_count_ = 0;
};

}  // namespace fourfold::loadtest
