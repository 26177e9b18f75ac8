#pragma once

#include <vector>

#include "server/quantize/samples.h"

namespace fourfold::quantize {

// Some samples of a set, which it borrows. Without labels.
class Subset final : public SampleSet {
 public:
  Subset(const SampleSet& all, std::vector<int64_t> indices)
      : all_(all), indices_(std::move(indices)) {}

  int64_t size() const override { return static_cast<int64_t>(indices_.size()); }
  const std::vector<SampleInput>& inputs() const override { return all_.inputs(); }
  absl::StatusOr<std::vector<std::vector<std::byte>>> Read(int64_t index) const override {
    return all_.Read(indices_[static_cast<size_t>(index)]);
  }
  std::span<const int64_t> labels() const override { return {}; }

 private:
  const SampleSet& all_;
  const std::vector<int64_t> indices_;
};

// Calibration samples in two parts: what a step is fitted on, and what decides whether it is kept.
struct HoldOut {
  Subset fit;
  Subset check;   // every fifth, at most 64; the same as fit where there are fewer than five
  bool disjoint;  // fit and check share no sample
};

// Borrows `samples`.
HoldOut SplitSamples(const SampleSet& samples);

}  // namespace fourfold::quantize
