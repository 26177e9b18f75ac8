#pragma once

#include <memory>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "server/quantize/calibrate.h"
#include "server/report/report.h"
#include "server/runtime/model.h"

namespace fourfold::quantize {

struct MeasureOptions {
  int64_t batch = 1;
  std::vector<graph::Shape> shapes;  // of the inputs; empty: what the models say, for the batch
  double seconds = 1.0;              // of each model, at least `runs_min` runs
  int runs_min = 20;
  int runs_max = 2000;
  kernels::Parallel* parallel = nullptr;  // null: the calling thread alone
};

// What running a model costs here.
struct Measurement {
  report::Latency latency;
  int64_t resident_bytes = 0;
  report::Executed executed;
};

// Times the models in turn, run by run in one loop, so that what disturbs the machine disturbs all
// of them alike. Inputs are zeros unless `inputs` (one buffer per model input, for the batch) is
// given.
absl::StatusOr<std::vector<Measurement>> Measure(
    const std::vector<std::shared_ptr<const runtime::Model>>& models,
    const std::vector<std::vector<std::byte>>& inputs, const MeasureOptions& options,
    const Progress& progress);

// Percentiles and throughput of run times in nanoseconds (sorted in place).
report::Latency Summarize(std::vector<int64_t>& run_ns, int64_t batch, int threads);

// What a plan executes: shares of multiply-accumulates, and per operation the implementation that
// does most of the work.
report::Executed DescribeExecution(std::span<const std::shared_ptr<const runtime::Plan>> plans);

}  // namespace fourfold::quantize
