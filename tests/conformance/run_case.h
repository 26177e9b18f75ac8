#pragma once

#include <optional>
#include <string>
#include <vector>

#include "server/runtime/plan.h"
#include "tests/conformance/cases.h"

namespace fourfold::conformance {

enum class Outcome : uint8_t { kPassed, kUnsupported, kFailed };

std::string OutcomeText(Outcome outcome);  // "passed", "unsupported", "failed"

struct Verdict {
  Outcome outcome = Outcome::kPassed;
  std::string reason;  // of what is not passed
};

struct RunOptions {
  bool with_passes = true;     // import, optimise, plan, run
  bool without_passes = true;  // import, plan, run
  bool round_trip = false;     // also export, import that, and run it
  std::string engine;          // only this engine's kernels; empty: any
};

struct CaseResult {
  // Refused as UNIMPLEMENTED is unsupported, and so is a case whose data is not what its model says
  // (ONNX 1.12 has four). Anything else but the wanted outputs, with passes or
  // without, is failed; so is a case that is supported only without passes.
  Verdict verdict;
  // Passed with passes; without them, a node has no kernel.
  std::optional<std::string> needs_passes;
  // Of a case that passed: unsupported where a graph was not to be exported (INVALID_ARGUMENT: what
  // the format cannot say), failed where the exported file computes something else.
  std::optional<Verdict> round_trip;
  // Of an unsupported case: the operators that are to blame, and whether the importer's table has
  // all of them (then it is a form, an attribute or an element type that is lacking).
  std::vector<std::string> operators;
  bool operators_listed = false;
};

// Runs one case in this process.
CaseResult RunCase(const Case& test, const RunOptions& options);

}  // namespace fourfold::conformance
