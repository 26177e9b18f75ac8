#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "kernels/cpu_features.h"
#include "server/quantize/measure.h"
#include "server/runtime/plan.h"

namespace fourfold::tools {

struct BenchOptions {
  std::vector<std::string> models;  // ONNX files; timed in turn in one loop
  int64_t batch = 1;
  int threads = 1;
  double seconds = 3.0;  // of each model
  bool profile = false;
  kernels::CpuFeatures features = kernels::DetectCpuFeatures();
  std::string engine;  // only this engine's kernels; empty: any
};

// One step's share of a run.
struct ProfiledStep {
  runtime::StepInfo info;
  double mean_ms = 0;
  double gops = 0;  // 2 * multiply-accumulates per nanosecond; 0 where it multiplies nothing
};

struct BenchResult {
  std::string model;
  quantize::Measurement measurement;
  double load_ms = 0;               // from file to the first plan
  double speedup = 1;               // against the first model: its p50 / this p50
  std::vector<ProfiledStep> steps;  // with `profile`
};

absl::StatusOr<std::vector<BenchResult>> Bench(const BenchOptions& options);

std::string BenchToTable(const std::vector<BenchResult>& results, const BenchOptions& options);

// One object; several models are in its array "models" too.
std::string BenchToJson(const std::vector<BenchResult>& results, const BenchOptions& options);

}  // namespace fourfold::tools
