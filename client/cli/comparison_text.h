#pragma once

#include <string>

#include "client/comparison.h"
#include "nlohmann/json_fwd.hpp"

namespace fourfold::cli {

// The schema that report.json has too; facts that were not measured are left out. Key order is
// fixed.
nlohmann::ordered_json ComparisonToJson(const client::Comparison& comparison);

// For people: what was measured where, an aligned table with units, notes below it.
std::string ComparisonToTable(const client::Comparison& comparison);

// A header and one row per variant, RFC 4180; facts that were not measured are empty cells, kernels
// are "operation=implementation" separated by ";".
std::string ComparisonToCsv(const client::Comparison& comparison);

}  // namespace fourfold::cli
