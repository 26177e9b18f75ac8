#pragma once

#include <string>

#include "loadtest/histogram.h"

namespace fourfold::loadtest {

// The percentile spectrum in the text form of HdrHistogram's outputPercentileDistribution, which
// its plotters read; values in milliseconds. One line per bucket that is not empty.
std::string ToHgrm(const Histogram& histogram);

}  // namespace fourfold::loadtest
