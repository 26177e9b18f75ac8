#pragma once

#include <cstdint>

namespace fourfold::quantize {

// One-sided lower confidence bound of a proportion after `successes` of `trials` (Clopper and
// Pearson 1934): the smallest p for which that many or more successes still have probability 1 -
// confidence. 0 for no trials.
double LowerBoundOfProportion(int64_t successes, int64_t trials, double confidence);

}  // namespace fourfold::quantize
