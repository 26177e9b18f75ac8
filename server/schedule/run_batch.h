#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "kernels/kernel.h"
#include "server/base/clock.h"
#include "server/runtime/executor.h"
#include "server/schedule/job.h"

namespace fourfold::schedule {

// What one worker keeps from run to run, grown to the largest that it met.
struct WorkerMemory {
  runtime::Arena arena;
  runtime::Arena stacked;  // inputs and outputs of a batch
};

// What a batch computed: outputs[i] are those of its i-th job.
struct BatchResult {
  std::vector<std::vector<OutputTensor>> outputs;
  absl::Duration input;  // putting inputs together, computing, taking outputs apart
  absl::Duration compute;
  absl::Duration output;
};

// Runs the jobs of a batch as one; a single job on its own buffers. Errors as Model::PlanFor, of
// single jobs only: a batch brings its plan.
absl::StatusOr<BatchResult> RunBatch(const Batch& batch, WorkerMemory& memory,
                                     kernels::Parallel& parallel, const base::Clock& clock);

}  // namespace fourfold::schedule
