#include "tests/conformance/summary.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "client/cli/table.h"

namespace fourfold::conformance {
namespace {

void Add(Tally& tally, Outcome outcome) {
  switch (outcome) {
    case Outcome::kPassed: ++tally.passed; break;
    case Outcome::kUnsupported: ++tally.unsupported; break;
    case Outcome::kFailed: ++tally.failed; break;
  }
}

std::string Text(const Tally& tally) {
  return absl::StrCat("passed ", tally.passed, " of ", tally.total(), ", unsupported ",
                      tally.unsupported, ", failed ", tally.failed);
}

// A reason of one line that leaves room for the case's name.
std::string OneLine(const std::string& reason) {
  constexpr size_t kLongest = 300;
  std::string line = absl::StrJoin(absl::StrSplit(reason, '\n'), " ");
  if (line.size() > kLongest) line = line.substr(0, kLongest) + "...";
  return line;
}

struct Lacking {
  size_t cases = 0;
  bool listed = false;  // in a case that lacks nothing but forms of listed operators
  std::string example;
};

std::map<std::string, Lacking> LackingOperators(const Summary& summary) {
  std::map<std::string, Lacking> operators;
  for (size_t i = 0; i < summary.results.size(); ++i) {
    const CaseResult& result = summary.results[i];
    for (const std::string& name : result.operators) {
      Lacking& lacking = operators[name];
      if (lacking.cases++ == 0) lacking.example = FullName(summary.cases[i]);
      lacking.listed = lacking.listed || result.operators_listed;
    }
  }
  return operators;
}

std::string OperatorTable(const std::map<std::string, Lacking>& operators) {
  std::vector<std::pair<std::string, Lacking>> rows(operators.begin(), operators.end());
  std::stable_sort(rows.begin(), rows.end(),
                   [](const auto& a, const auto& b) { return a.second.cases > b.second.cases; });
  cli::Table table;
  table.AddColumn("UNSUPPORTED OPERATOR", cli::Align::kLeft);
  table.AddColumn("CASES", cli::Align::kRight);
  table.AddColumn("LACKING", cli::Align::kLeft);
  table.AddColumn("FIRST CASE", cli::Align::kLeft);
  for (const auto& [name, lacking] : rows) {
    table.AddRow(
        {name, absl::StrCat(lacking.cases), lacking.listed ? "a form" : "all", lacking.example});
  }
  return table.Render();
}

// Unsupported although the importer has all of its operators.
bool IsGap(const CaseResult& result) {
  return result.verdict.outcome == Outcome::kUnsupported && result.operators_listed;
}

nlohmann::json ToJson(const Tally& tally) {
  return {{"passed", tally.passed},
          {"total", tally.total()},
          {"unsupported", tally.unsupported},
          {"failed", tally.failed}};
}

}  // namespace

std::string FullName(const Case& test) { return absl::StrCat(test.suite, "/", test.name); }

Tally Summary::Count() const {
  Tally tally;
  for (const CaseResult& result : results) Add(tally, result.verdict.outcome);
  return tally;
}

Tally Summary::CountRoundTrips() const {
  Tally tally;
  for (const CaseResult& result : results) {
    if (result.round_trip) Add(tally, result.round_trip->outcome);
  }
  return tally;
}

std::string ToText(const Summary& summary, bool all) {
  std::string text;
  std::map<std::string, Tally> suites;
  size_t needing_passes = 0;
  for (size_t i = 0; i < summary.results.size(); ++i) {
    const CaseResult& result = summary.results[i];
    const std::string name = FullName(summary.cases[i]);
    Add(suites[summary.cases[i].suite], result.verdict.outcome);
    needing_passes += result.needs_passes.has_value();
    if (result.verdict.outcome == Outcome::kFailed) {
      absl::StrAppend(&text, "FAILED ", name, ": ", OneLine(result.verdict.reason), "\n");
    } else if (all && result.verdict.outcome == Outcome::kUnsupported) {
      absl::StrAppend(&text, "UNSUPPORTED ", name, ": ", OneLine(result.verdict.reason), "\n");
    } else if (all && result.needs_passes) {
      absl::StrAppend(&text, "NEEDS PASSES ", name, ": ", OneLine(*result.needs_passes), "\n");
    }
  }
  for (size_t i = 0; i < summary.results.size(); ++i) {
    const auto& trip = summary.results[i].round_trip;
    if (!trip || trip->outcome == Outcome::kPassed) continue;
    if (trip->outcome == Outcome::kUnsupported && !all) continue;
    absl::StrAppend(&text, trip->outcome == Outcome::kFailed ? "FAILED" : "NOT EXPORTED",
                    " round trip ", FullName(summary.cases[i]), ": ", OneLine(trip->reason), "\n");
  }
  if (const auto operators = LackingOperators(summary); !operators.empty()) {
    absl::StrAppend(&text, text.empty() ? "" : "\n", OperatorTable(operators), "\n");
  }
  if (!summary.no_data.empty()) {
    absl::StrAppend(&text, "no data for ", summary.no_data.size(),
                    " cases: ", absl::StrJoin(summary.no_data, ", "), "\n");
  }
  if (needing_passes > 0) {
    absl::StrAppend(&text, needing_passes, " of the passed only with passes\n");
  }
  if (const Tally trips = summary.CountRoundTrips(); trips.total() > 0) {
    absl::StrAppend(&text, "export and import again: ", Text(trips), "\n");
  }
  if (suites.size() > 1) {
    for (const auto& [suite, tally] : suites)
      absl::StrAppend(&text, suite, ": ", Text(tally), "\n");
  }
  absl::StrAppend(&text, Text(summary.Count()), "\n");
  return text;
}

std::string ToJson(const Summary& summary) {
  nlohmann::json json = ToJson(summary.Count());
  for (const auto& [name, lacking] : LackingOperators(summary)) {
    json["unsupported_operators"][name] = lacking.cases;
  }
  json["no_data"] = summary.no_data;
  if (const Tally trips = summary.CountRoundTrips(); trips.total() > 0) {
    json["round_trip"] = ToJson(trips);
  }
  for (size_t i = 0; i < summary.results.size(); ++i) {
    const CaseResult& result = summary.results[i];
    nlohmann::json line = {{"case", FullName(summary.cases[i])},
                           {"outcome", OutcomeText(result.verdict.outcome)}};
    if (!result.verdict.reason.empty()) line["reason"] = result.verdict.reason;
    if (!result.operators.empty()) line["operators"] = result.operators;
    if (result.needs_passes) line["needs_passes"] = *result.needs_passes;
    if (result.round_trip) {
      line["round_trip"] = {{"outcome", OutcomeText(result.round_trip->outcome)},
                            {"reason", result.round_trip->reason}};
    }
    json["cases"].push_back(std::move(line));
  }
  return json.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
}

absl::StatusOr<KnownGaps> KnownGaps::Parse(absl::string_view text) {
  KnownGaps gaps;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    line = absl::StripAsciiWhitespace(line);
    if (line.empty() || line[0] == '#') continue;
    const std::pair<std::string, std::string> parts =
        absl::StrSplit(line, absl::MaxSplits(": ", 1));
    if (parts.second.empty() || !absl::StrContains(parts.first, '/')) {
      return absl::InvalidArgumentError(
          absl::StrCat("got the line \"", line, "\", wanted \"suite/case: reason\""));
    }
    gaps.entries_.insert(parts);
  }
  return gaps;
}

std::string KnownGaps::EntryOf(const std::string& name) const {
  for (const auto& [pattern, reason] : entries_) {
    if (std::regex_match(name, std::regex(pattern))) return pattern;
  }
  return "";
}

std::vector<std::string> KnownGaps::Offences(const Summary& summary) const {
  std::vector<std::string> offences;
  for (size_t i = 0; i < summary.results.size(); ++i) {
    const std::string name = FullName(summary.cases[i]);
    if (!IsGap(summary.results[i]) || !EntryOf(name).empty()) continue;
    offences.push_back(absl::StrCat("GAP ", name, ": all of its operators are listed, but: ",
                                    OneLine(summary.results[i].verdict.reason)));
  }
  return offences;
}

std::vector<std::string> KnownGaps::Stale(const Summary& summary) const {
  std::set<std::string> used, suites;
  for (size_t i = 0; i < summary.results.size(); ++i) {
    suites.insert(summary.cases[i].suite);
    if (IsGap(summary.results[i])) used.insert(EntryOf(FullName(summary.cases[i])));
  }
  std::vector<std::string> stale;
  for (const auto& [pattern, reason] : entries_) {
    if (suites.contains(pattern.substr(0, pattern.find('/'))) && !used.contains(pattern)) {
      stale.push_back(absl::StrCat("NO GAP: remove ", pattern,
                                   " from the list of known gaps, no such case is unsupported"));
    }
  }
  return stale;
}

}  // namespace fourfold::conformance
