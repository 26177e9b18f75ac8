#include "loadtest/block_means.h"

#include <cmath>
#include <limits>

#include "loadtest/student_t.h"

namespace fourfold::loadtest {

void BlockMeans::Add(double value) {
  ++count_;
  sum_ += value;
  open_sum_ += value;
  if (++open_count_ < block_length_) return;
  means_.push_back(open_sum_ / static_cast<double>(open_count_));
  open_sum_ = 0;
  open_count_ = 0;
  if (means_.size() < 2 * kBlocksMin) return;
  for (size_t i = 0; i < kBlocksMin; ++i) means_[i] = (means_[2 * i] + means_[2 * i + 1]) / 2;
  means_.resize(kBlocksMin);
  block_length_ *= 2;
}

Interval BlockMeans::MeanInterval(double confidence) const {
  if (count_ < kValuesMin) {
    return {-std::numeric_limits<double>::infinity(), std::numeric_limits<double>::infinity()};
  }
  const auto blocks = static_cast<double>(means_.size());
  double mean = 0;
  for (const double block : means_) mean += block / blocks;
  double squares = 0;
  for (const double block : means_) squares += (block - mean) * (block - mean);
  const double error = std::sqrt(squares / (blocks - 1) / blocks);
  const double t = StudentTQuantile(0.5 + confidence / 2, static_cast<int>(means_.size()) - 1);
  return {this->mean() - t * error, this->mean() + t * error};
}

}  // namespace fourfold::loadtest
