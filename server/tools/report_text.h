#pragma once

#include <string>

#include "server/report/report.h"

namespace fourfold::tools {

// A report as a table for people, with its warnings below.
std::string ReportToTable(const report::Report& report);

// What each variant runs, step by step.
std::string LayersOfVariants(const report::Report& report);

}  // namespace fourfold::tools
