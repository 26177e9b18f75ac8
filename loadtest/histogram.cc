#include "loadtest/histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace fourfold::loadtest {
namespace {

constexpr int kHalfBits = 10;
constexpr int64_t kHalf = int64_t{1} << kHalfBits;  // buckets per power of two

// How many low bits of a value its bucket ignores.
int Shift(int64_t value) {
  const int bits = static_cast<int>(std::bit_width(static_cast<uint64_t>(value)));
  return std::max(0, bits - (kHalfBits + 1));
}

// Values up to 2047 are their own index; each further power of two follows with 1024 buckets.
size_t Index(int64_t value) {
  const int shift = Shift(value);
  return static_cast<size_t>(kHalf * shift + (value >> shift));
}

struct Bucket {
  int64_t first;
  int64_t last;
};

Bucket BucketAt(size_t index) {
  const auto i = static_cast<int64_t>(index);
  const int64_t shift = i < 2 * kHalf ? 0 : i / kHalf - 1;
  const int64_t first = (i - kHalf * shift) << shift;
  return {first, first + (int64_t{1} << shift) - 1};
}

}  // namespace

Histogram::Histogram() : counts_(Index(kMax.count()) + 1, 0) {}

void Histogram::Record(Duration duration) {
  if (duration > kMax) ++beyond_;
  const int64_t value = std::clamp(duration, Duration(), kMax).count();
  ++counts_[Index(value)];
  ++count_;
  min_ = std::min(min_, value);
  max_ = std::max(max_, value);
  const double delta = static_cast<double>(value) - mean_;
  mean_ += delta / static_cast<double>(count_);
  squares_ += delta * (static_cast<double>(value) - mean_);
}

void Histogram::Merge(const Histogram& other) {
  if (other.count_ == 0) return;
  for (size_t i = 0; i < counts_.size(); ++i) counts_[i] += other.counts_[i];
  // Chan, Golub, LeVeque 1979: the mean and squares of two samples together.
  const auto n = static_cast<double>(count_);
  const auto m = static_cast<double>(other.count_);
  const double delta = other.mean_ - mean_;
  mean_ += delta * m / (n + m);
  squares_ += other.squares_ + delta * delta * n * m / (n + m);
  count_ += other.count_;
  beyond_ += other.beyond_;
  min_ = std::min(min_, other.min_);
  max_ = std::max(max_, other.max_);
}

double Histogram::MeanNs() const { return mean_; }

double Histogram::DeviationNs() const {
  return count_ == 0 ? 0 : std::sqrt(squares_ / static_cast<double>(count_));
}

Histogram::Duration Histogram::Quantile(double share) const {
  if (count_ == 0) return Duration();
  const auto wanted = std::clamp(
      static_cast<int64_t>(std::ceil(share * static_cast<double>(count_))), int64_t{1}, count_);
  if (wanted == count_) return max();
  int64_t seen = 0;
  for (size_t i = 0; i < counts_.size(); ++i) {
    seen += counts_[i];
    if (seen < wanted) continue;
    const Bucket bucket = BucketAt(i);
    return Duration(std::clamp((bucket.first + bucket.last) / 2, min_, max_));
  }
  return max();
}

void Histogram::ForEachBucket(
    const std::function<void(Duration value, int64_t count)>& visit) const {
  for (size_t i = 0; i < counts_.size(); ++i) {
    if (counts_[i] > 0) visit(Duration(std::min(BucketAt(i).last, max_)), counts_[i]);
  }
}

}  // namespace fourfold::loadtest
