#include "server/quantize/observer.h"

#include <algorithm>
#include <cmath>

namespace fourfold::quantize {
namespace {

constexpr int kHalf = TensorObserver::kBins / 2;

// The smallest k with |value| < 2^k.
int ExponentFor(float value) {
  int exponent = 0;
  std::frexp(value, &exponent);
  return exponent;
}

}  // namespace

double TensorObserver::bin_width() const { return std::ldexp(1.0, exponent_) / kHalf; }

void TensorObserver::Widen(int exponent) {
  if (bins_.empty()) {
    bins_.assign(kBins, 0);
    exponent_ = exponent;
    bins_[kHalf] += zeros_;
    return;
  }
  for (; exponent_ < exponent; ++exponent_) {
    std::vector<int64_t> merged(kBins, 0);
    for (int i = 0; i < kBins; ++i) {
      const int from_zero = i - kHalf;
      merged[static_cast<size_t>(kHalf + (from_zero >> 1))] += bins_[static_cast<size_t>(i)];
    }
    bins_ = std::move(merged);
  }
}

void TensorObserver::Observe(std::span<const float> values) {
  float low = 0;
  float high = 0;
  bool first = count_ == 0;
  if (!first) {
    low = min_;
    high = max_;
  }
  for (float value : values) {
    if (!std::isfinite(value)) {
      ++not_finite_;
      continue;
    }
    low = first ? value : std::min(low, value);
    high = first ? value : std::max(high, value);
    first = false;
    ++count_;
  }
  min_ = low;
  max_ = high;
  const float magnitude = std::max(std::fabs(low), std::fabs(high));
  if (magnitude == 0.0f) {
    zeros_ = count_;
    return;
  }
  if (const int exponent = ExponentFor(magnitude); bins_.empty() || exponent > exponent_)
    Widen(exponent);
  const double inverse = 1.0 / bin_width();
  for (float value : values) {
    if (!std::isfinite(value)) continue;
    ++bins_[static_cast<size_t>(kHalf + static_cast<int>(std::floor(value * inverse)))];
  }
}

void TensorObserver::Merge(const TensorObserver& other) {
  not_finite_ += other.not_finite_;
  if (other.count_ == 0) return;
  min_ = count_ == 0 ? other.min_ : std::min(min_, other.min_);
  max_ = count_ == 0 ? other.max_ : std::max(max_, other.max_);
  count_ += other.count_;
  if (other.bins_.empty()) {
    if (bins_.empty()) {
      zeros_ += other.zeros_;
    } else {
      bins_[kHalf] += other.zeros_;
    }
    return;
  }
  TensorObserver wide = other;
  if (bins_.empty() || other.exponent_ > exponent_) Widen(other.exponent_);
  wide.Widen(exponent_);
  for (size_t i = 0; i < bins_.size(); ++i) bins_[i] += wide.bins_[i];
}

Range TensorObserver::MinMax() const { return {min_, max_}; }

Range TensorObserver::Percentile(double fraction) const {
  if (bins_.empty() || fraction >= 1.0) return MinMax();
  const double tail = (1.0 - fraction) / 2.0 * static_cast<double>(count_);
  double left_out = 0;
  int first = 0;
  while (first < kBins - 1 &&
         left_out + static_cast<double>(bins_[static_cast<size_t>(first)]) <= tail) {
    left_out += static_cast<double>(bins_[static_cast<size_t>(first++)]);
  }
  left_out = 0;
  int last = kBins - 1;
  while (last > first && left_out + static_cast<double>(bins_[static_cast<size_t>(last)]) <= tail) {
    left_out += static_cast<double>(bins_[static_cast<size_t>(last--)]);
  }
  const auto low = static_cast<float>((first - kHalf) * bin_width());
  const auto high = static_cast<float>((last + 1 - kHalf) * bin_width());
  return {std::max(low, min_), std::min(high, max_)};
}

}  // namespace fourfold::quantize
