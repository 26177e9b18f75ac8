#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "loadtest/answer_check.h"
#include "loadtest/environment.h"
#include "loadtest/generator.h"
#include "loadtest/latency_ratios.h"
#include "loadtest/options.h"
#include "loadtest/recorder.h"

namespace fourfold::loadtest {

// One of the compared variants, or the only target of a run.
struct TargetReport {
  std::string label;        // "int8"; the second of the same variant is "int8#2"
  std::string answered_by;  // the variant that the server says; empty if it does not
  Figures figures;

  // Of a comparison only.
  LatencyRatio ratio;     // against Report::ratio_reference
  AnswerFigures answers;  // against Report::answer_reference
  std::optional<int64_t> file_bytes;
  std::optional<int64_t> resident_bytes;
};

// All that a run found.
struct Report {
  Options options;
  Environment environment;
  std::vector<TargetReport> targets;  // at least one
  Figures all;                        // of all targets together
  GeneratorReport generator;
  double elapsed_s = 0;  // from the end of the warm-up to the last answer
  bool interrupted = false;
  size_t inputs = 0;             // different requests that were sent in turn
  std::string ratio_reference;   // label; of a comparison
  std::string answer_reference;  // model; of a comparison

  bool compares() const { return !options.compare.empty(); }
  double PerSecond(int64_t count) const {
    return elapsed_s > 0 ? static_cast<double>(count) / elapsed_s : 0;
  }
};

// Answers per second during which requests to the target were in flight: with one request at a time
// the throughput that it would have alone.
double AnswersPerBusySecond(const Figures& figures);

inline double Milliseconds(std::chrono::nanoseconds time) {
  return static_cast<double>(time.count()) * 1e-6;
}

// For people: aligned tables and a line on the generator.
std::string ReportToTable(const Report& report);
// One JSON object; times in milliseconds, shares from 0 to 1.
std::string ReportToJson(const Report& report);
// A header and one line per target; the first columns are perf_analyzer's, with its names and units
// (latencies in microseconds).
std::string ReportToCsv(const Report& report);
// A page that needs no other file: the tables and a plot of latency over percentile.
std::string ReportToHtml(const Report& report);

}  // namespace fourfold::loadtest
