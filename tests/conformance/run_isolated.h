#pragma once

#include <functional>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "tests/conformance/cases.h"
#include "tests/conformance/run_case.h"

namespace fourfold::conformance {

struct IsolationOptions {
  size_t batch = 100;                          // cases that one child runs; 1: a child for each
  absl::Duration timeout = absl::Seconds(60);  // of one case
};

// Calls `run` for each case in child processes, so that a case that crashes or hangs is a failed
// result and the others get theirs: after it, a new child goes on with the next case. One child at
// a time. Not thread-safe: call it while the process has one thread, since it forks.
// INTERNAL if no child can be made.
absl::StatusOr<std::vector<CaseResult>> RunIsolated(
    const std::vector<Case>& cases, const IsolationOptions& options,
    const std::function<CaseResult(const Case&)>& run);

}  // namespace fourfold::conformance
