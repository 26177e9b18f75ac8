#include "server/quantize/measure.h"

#include <algorithm>
#include <chrono>
#include <map>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "server/base/status_macros.h"
#include "server/quantize/explain.h"
#include "server/runtime/executor.h"

namespace fourfold::quantize {
namespace {

using Clock = std::chrono::steady_clock;

// One model with the buffers that it runs on.
struct Runner {
  const runtime::Model* model = nullptr;
  std::vector<graph::Shape> shapes;
  std::shared_ptr<const runtime::Plan> plan;  // null for a dynamic model
  runtime::Arena arena;
  kernels::Parallel* parallel = nullptr;
  std::vector<std::vector<std::byte>> inputs;
  std::vector<std::vector<std::byte>> outputs;
  std::vector<int64_t> run_ns;

  absl::Status Prepare(const std::vector<std::vector<std::byte>>& given) {
    std::vector<const void*> in;
    for (size_t i = 0; i < shapes.size(); ++i) {
      const runtime::TensorInfo info{"", model->inputs()[i].type, shapes[i]};
      inputs.emplace_back(info.bytes());
      if (i < given.size() && given[i].size() == inputs[i].size()) inputs[i] = given[i];
    }
    for (const auto& input : inputs) in.push_back(input.data());
    if (model->dynamic()) return absl::OkStatus();
    ASSIGN_OR_RETURN(plan, model->PlanFor(shapes, in));
    for (const runtime::TensorInfo& output : plan->outputs()) outputs.emplace_back(output.bytes());
    return absl::OkStatus();
  }

  // Faults are those of invented inputs.
  int64_t RunOnce() {
    std::vector<const void*> in;
    std::vector<void*> out;
    std::vector<runtime::TensorRef> refs;
    for (size_t i = 0; i < inputs.size(); ++i) {
      in.push_back(inputs[i].data());
      refs.push_back({model->inputs()[i].type, shapes[i], inputs[i].data()});
    }
    for (auto& output : outputs) out.push_back(output.data());
    const Clock::time_point start = Clock::now();
    if (plan != nullptr) {
      runtime::Run(*plan, arena, in, out, *parallel).IgnoreError();
    } else {
      model->Execute(refs, arena, *parallel).IgnoreError();
    }
    return std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now() - start).count();
  }

  std::vector<std::shared_ptr<const runtime::Plan>> Plans() const {
    if (plan != nullptr) return {plan};
    return model->CachedPlans();
  }
};

double Percentile(const std::vector<int64_t>& sorted, double fraction) {
  const auto rank = static_cast<size_t>(fraction * static_cast<double>(sorted.size() - 1) + 0.5);
  return static_cast<double>(sorted[std::min(rank, sorted.size() - 1)]) / 1e6;
}

}  // namespace

report::Latency Summarize(std::vector<int64_t>& run_ns, int64_t batch, int threads) {
  std::sort(run_ns.begin(), run_ns.end());
  report::Latency latency;
  latency.batch = static_cast<int>(batch);
  latency.threads = threads;
  latency.p50_ms = Percentile(run_ns, 0.50);
  latency.p90_ms = Percentile(run_ns, 0.90);
  latency.p99_ms = Percentile(run_ns, 0.99);
  double total = 0;
  for (int64_t ns : run_ns) total += static_cast<double>(ns);
  latency.throughput_per_s =
      static_cast<double>(batch) * static_cast<double>(run_ns.size()) * 1e9 / std::max(total, 1.0);
  return latency;
}

report::Executed DescribeExecution(std::span<const std::shared_ptr<const runtime::Plan>> plans) {
  report::Executed executed;
  int64_t total = 0;
  int64_t int8 = 0;
  int64_t half = 0;
  std::map<std::string, std::map<std::string, int64_t>>
      work;  // operation -> implementation -> macs
  for (const auto& plan : plans) {
    for (const runtime::StepInfo& step : plan->steps()) {
      if (step.macs == 0) continue;
      total += step.macs;
      if (absl::StrContains(step.arithmetic, "int8")) int8 += step.macs;
      if (step.arithmetic == "float16") half += step.macs;
      work[absl::AsciiStrToLower(step.operation)][step.implementation] += step.macs;
    }
  }
  if (total > 0) {
    executed.int8_macs = static_cast<double>(int8) / static_cast<double>(total);
    executed.fp16_macs = static_cast<double>(half) / static_cast<double>(total);
  }
  for (const auto& [operation, implementations] : work) {
    const auto most =
        std::max_element(implementations.begin(), implementations.end(),
                         [](const auto& a, const auto& b) { return a.second < b.second; });
    executed.kernels.emplace_back(operation, most->first);
  }
  return executed;
}

absl::StatusOr<std::vector<Measurement>> Measure(
    const std::vector<std::shared_ptr<const runtime::Model>>& models,
    const std::vector<std::vector<std::byte>>& inputs, const MeasureOptions& options,
    const Progress& progress) {
  kernels::Sequential sequential;
  std::vector<Runner> runners(models.size());
  for (size_t m = 0; m < models.size(); ++m) {
    Runner& runner = runners[m];
    runner.parallel = options.parallel == nullptr ? &sequential : options.parallel;
    runner.model = models[m].get();
    runner.shapes = options.shapes;
    if (runner.shapes.empty()) {
      ASSIGN_OR_RETURN(runner.shapes, models[m]->ShapesForBatch(options.batch));
    }
    RETURN_IF_ERROR(runner.Prepare(inputs));
    for (int warm_up = 0; warm_up < 3; ++warm_up) runner.RunOnce();
  }

  const auto budget =
      static_cast<int64_t>(options.seconds * 1e9 * static_cast<double>(models.size()));
  int64_t spent = 0;
  for (int round = 0; round < options.runs_max && (round < options.runs_min || spent < budget);
       ++round) {
    for (Runner& runner : runners) {
      runner.run_ns.push_back(runner.RunOnce());
      spent += runner.run_ns.back();
    }
    if (progress && budget > 0) {
      progress(static_cast<int>(std::min<int64_t>(
          100, std::max(spent * 100 / budget, int64_t{round} * 100 / options.runs_max))));
    }
  }

  std::vector<Measurement> measurements;
  for (size_t m = 0; m < models.size(); ++m) {
    Measurement measurement;
    measurement.latency = Summarize(runners[m].run_ns, options.batch, models[m]->options().threads);
    const std::vector<std::shared_ptr<const runtime::Plan>> plans = runners[m].Plans();
    size_t constants = 0;
    for (const auto& plan : plans) constants += plan->constant_bytes();
    measurement.resident_bytes =
        static_cast<int64_t>(models[m]->weight_bytes() + constants + runners[m].arena.bytes());
    measurement.executed = DescribeExecution(plans);
    measurement.executed.layers = Explain(models[m]->graph(), plans);
    measurements.push_back(std::move(measurement));
  }
  return measurements;
}

}  // namespace fourfold::quantize
