#pragma once

#include <span>
#include <string>

#include "loadtest/histogram.h"

namespace fourfold::loadtest {

struct PlotLine {
  std::string label;
  const Histogram* histogram;  // borrowed
};

// An SVG element: latency (logarithmic) over percentile, whose axis gives each further nine the
// same width, so that the tail is as wide as the middle. Lines without values are left out.
std::string PercentilePlot(std::span<const PlotLine> lines);

// &, <, > and quotes as entities.
std::string EscapeHtml(const std::string& text);

}  // namespace fourfold::loadtest
