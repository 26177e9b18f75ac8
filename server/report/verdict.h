#pragma once

#include <string>
#include <vector>

#include "server/report/report.h"

namespace fourfold::report {

// A comparison in sentences, for people; every figure in them is one of the report.
struct Verdict {
  struct OfVariant {
    std::string variant;
    std::string text;  // speed, size and closeness to fp32, good or bad; ends with a full stop
  };

  std::string summary;              // which variant is the default, and why
  std::vector<OfVariant> variants;  // one for each but fp32, in the report's order
};

// Shares are rounded down, so that none reads better than it is; what was not measured is said to
// be unknown.
Verdict ToVerdict(const Report& report);

}  // namespace fourfold::report
