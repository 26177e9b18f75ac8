#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

namespace fourfold::quantize {

// The smallest and largest number that a quantized tensor has to represent.
struct Range {
  float low = 0;
  float high = 0;

  friend bool operator==(const Range&, const Range&) = default;
};

// What calibration remembers of one tensor: extremes and a histogram of 2048 bins over
// [-2^k, 2^k). When a number does not fit, k grows and neighbouring bins merge; since bin borders
// are multiples of powers of two, the result does not depend on the order of the numbers, nor on
// how they were split between observers that are merged later. Not thread-safe.
class TensorObserver {
 public:
  static constexpr int kBins = 2048;

  // Finite numbers; others are passed over and counted.
  void Observe(std::span<const float> values);
  void Merge(const TensorObserver& other);

  int64_t count() const { return count_; }
  int64_t not_finite() const { return not_finite_; }

  // The extremes; zeros where nothing was observed.
  Range MinMax() const;

  // The narrowest range of bins that leaves out at most (1 - fraction) / 2 of the numbers on each
  // side, within the extremes. fraction 1 is MinMax.
  Range Percentile(double fraction) const;

 private:
  void Widen(int exponent);
  double bin_width() const;

  std::vector<int64_t> bins_;  // kBins, empty before the first number other than 0
  int exponent_ = 0;           // k
  int64_t zeros_ = 0;          // seen before the histogram existed
  int64_t count_ = 0;
  int64_t not_finite_ = 0;
  float min_ = 0;
  float max_ = 0;
};

}  // namespace fourfold::quantize
