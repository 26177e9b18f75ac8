#include "server/quantize/hold_out.h"

namespace fourfold::quantize {

HoldOut SplitSamples(const SampleSet& samples) {
  constexpr int64_t kEvery = 5;
  constexpr size_t kMost = 64;
  std::vector<int64_t> fit;
  std::vector<int64_t> check;
  for (int64_t i = 0; i < samples.size(); ++i) {
    const bool hold = i % kEvery == kEvery - 1 && check.size() < kMost;
    (hold ? check : fit).push_back(i);
  }
  const bool disjoint = !check.empty();
  if (!disjoint) check = fit;
  return {Subset(samples, std::move(fit)), Subset(samples, std::move(check)), disjoint};
}

}  // namespace fourfold::quantize
