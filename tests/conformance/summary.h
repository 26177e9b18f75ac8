#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "tests/conformance/cases.h"
#include "tests/conformance/run_case.h"

namespace fourfold::conformance {

struct Tally {
  size_t passed = 0;
  size_t unsupported = 0;
  size_t failed = 0;

  size_t total() const { return passed + unsupported + failed; }
};

// What a run of cases came to.
struct Summary {
  std::vector<Case> cases;
  std::vector<CaseResult> results;   // of each case
  std::vector<std::string> no_data;  // folders whose case would have to be downloaded

  Tally Count() const;
  Tally CountRoundTrips() const;
};

// "node/test_add"
std::string FullName(const Case& test);

// Failures line by line, a table of the operators that are lacking, and as the last line
// "passed N of M, unsupported K, failed F". `all` also lists each unsupported case.
std::string ToText(const Summary& summary, bool all);

// One JSON object.
std::string ToJson(const Summary& summary);

// Cases of operators that the importer's table has and that are unsupported nevertheless, with the
// reason: full names as regular expressions.
class KnownGaps {
 public:
  // Lines "suite/case: reason"; empty ones and those that begin with # count for nothing.
  // INVALID_ARGUMENT names the line that is none of these.
  static absl::StatusOr<KnownGaps> Parse(absl::string_view text);

  // One line for each gap that is not known.
  std::vector<std::string> Offences(const Summary& summary) const;
  // One line for each entry, of a suite that was run, that has no case any more: remove it.
  std::vector<std::string> Stale(const Summary& summary) const;

 private:
  // The pattern that a case's full name matches, "" for none.
  std::string EntryOf(const std::string& name) const;

  std::map<std::string, std::string> entries_;  // pattern -> reason
};

}  // namespace fourfold::conformance
