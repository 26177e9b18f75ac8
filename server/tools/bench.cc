#include "server/tools/bench.h"

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/cli/table.h"
#include "server/base/file.h"
#include "server/base/status_macros.h"
#include "server/passes/passes.h"
#include "server/quantize/import_model.h"
#include "server/registry/pool_parallel.h"
#include "server/runtime/executor.h"
#include "server/runtime/model.h"
#include "server/tools/external_listing.h"

namespace fourfold::tools {
namespace {

using Clock = std::chrono::steady_clock;

double MillisecondsSince(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

absl::StatusOr<std::shared_ptr<const runtime::Model>> Load(const std::string& path,
                                                           const BenchOptions& options) {
  ASSIGN_OR_RETURN(const base::MappedFile file, base::MappedFile::Open(path));
  onnx::ExternalFolder beside(FolderOf(path));
  ASSIGN_OR_RETURN(graph::Graph graph, quantize::ImportModel(file.bytes(), {}, &beside));
  RETURN_IF_ERROR(passes::Optimize(graph));
  runtime::ModelOptions model_options;
  model_options.features = options.features;
  model_options.threads = options.threads;
  model_options.engine = options.engine;
  auto model = std::make_shared<const runtime::Model>(std::move(graph), model_options);
  ASSIGN_OR_RETURN(const std::vector<graph::Shape> shapes, model->ShapesForBatch(options.batch));
  if (!model->dynamic() && !model->wants_contents()) {
    RETURN_IF_ERROR(model->PlanFor(shapes).status());
  }
  return model;
}

absl::StatusOr<std::vector<ProfiledStep>> Profile(const runtime::Model& model,
                                                  const BenchOptions& options,
                                                  kernels::Parallel& parallel) {
  ASSIGN_OR_RETURN(const std::vector<graph::Shape> shapes, model.ShapesForBatch(options.batch));
  ASSIGN_OR_RETURN(const std::shared_ptr<const runtime::Plan> plan, model.PlanFor(shapes));
  std::vector<std::vector<std::byte>> buffers;
  std::vector<const void*> in;
  std::vector<void*> out;
  for (const auto& input : plan->inputs()) in.push_back(buffers.emplace_back(input.bytes()).data());
  for (const auto& output : plan->outputs())
    out.push_back(buffers.emplace_back(output.bytes()).data());
  runtime::Arena arena;
  RETURN_IF_ERROR(runtime::Run(*plan, arena, in, out, parallel));  // warm
  std::vector<int64_t> step_ns(plan->steps().size(), 0);
  const Clock::time_point start = Clock::now();
  int runs = 0;
  for (; runs < 5 || MillisecondsSince(start) < options.seconds * 500; ++runs) {
    RETURN_IF_ERROR(runtime::RunProfiled(*plan, arena, in, out, parallel, step_ns));
  }
  std::vector<ProfiledStep> steps;
  for (size_t i = 0; i < step_ns.size(); ++i) {
    const double ns = static_cast<double>(step_ns[i]) / runs;
    ProfiledStep step{plan->steps()[i], ns / 1e6, 0};
    step.gops = 2.0 * static_cast<double>(step.info.macs) / std::max(ns, 1.0);
    steps.push_back(std::move(step));
  }
  return steps;
}

std::string Stem(const std::string& path) { return path.substr(path.find_last_of('/') + 1); }

std::string ProfileToTable(const std::vector<ProfiledStep>& steps) {
  using cli::Align;
  double total = 0;
  for (const ProfiledStep& step : steps) total += step.mean_ms;
  cli::Table table;
  table.AddColumn("node", Align::kLeft);
  table.AddColumn("operation", Align::kLeft);
  for (const char* title : {"us", "share", "GOP/s"}) table.AddColumn(title, Align::kRight);
  for (const char* title : {"arithmetic", "output", "implementation"})
    table.AddColumn(title, Align::kLeft);
  for (const ProfiledStep& step : steps) {
    table.AddRow({step.info.node, step.info.operation, absl::StrFormat("%.1f", step.mean_ms * 1e3),
                  absl::StrFormat("%.1f%%", 100 * step.mean_ms / total),
                  step.info.macs == 0 ? "" : absl::StrFormat("%.1f", step.gops),
                  step.info.arithmetic, step.info.output, step.info.implementation});
  }
  return table.Render();
}

nlohmann::ordered_json ToJson(const BenchResult& result) {
  nlohmann::ordered_json json;
  const report::Latency& latency = result.measurement.latency;
  json["model"] = result.model;
  json["p50_ms"] = latency.p50_ms;
  json["p90_ms"] = latency.p90_ms;
  json["p99_ms"] = latency.p99_ms;
  json["throughput_per_s"] = latency.throughput_per_s;
  json["load_ms"] = result.load_ms;
  json["resident_bytes"] = result.measurement.resident_bytes;
  json["speedup"] = result.speedup;
  json["int8_macs"] = result.measurement.executed.int8_macs;
  nlohmann::ordered_json kernels = nlohmann::ordered_json::object();
  for (const auto& [operation, implementation] : result.measurement.executed.kernels) {
    kernels[operation] = implementation;
  }
  json["kernels"] = std::move(kernels);
  if (!result.steps.empty()) {
    json["steps"] = nlohmann::ordered_json::array();
    for (const ProfiledStep& step : result.steps) {
      json["steps"].push_back({{"node", step.info.node},
                               {"operation", step.info.operation},
                               {"mean_ms", step.mean_ms},
                               {"gops", step.gops},
                               {"macs", step.info.macs},
                               {"arithmetic", step.info.arithmetic},
                               {"output", step.info.output},
                               {"implementation", step.info.implementation}});
    }
  }
  return json;
}

}  // namespace

absl::StatusOr<std::vector<BenchResult>> Bench(const BenchOptions& options) {
  registry::PoolParallel parallel(options.threads);
  std::vector<std::shared_ptr<const runtime::Model>> models;
  std::vector<BenchResult> results;
  for (const std::string& path : options.models) {
    const Clock::time_point start = Clock::now();
    absl::StatusOr<std::shared_ptr<const runtime::Model>> model = Load(path, options);
    if (!model.ok()) {
      return absl::Status(model.status().code(),
                          absl::StrCat(path, ": ", model.status().message()));
    }
    models.push_back(*std::move(model));
    BenchResult result;
    result.model = Stem(path);
    result.load_ms = MillisecondsSince(start);
    results.push_back(std::move(result));
  }
  quantize::MeasureOptions measure;
  measure.batch = options.batch;
  measure.seconds = options.seconds;
  measure.runs_max = 1'000'000;
  measure.parallel = &parallel;
  ASSIGN_OR_RETURN(const std::vector<quantize::Measurement> measurements,
                   quantize::Measure(models, {}, measure, nullptr));
  for (size_t i = 0; i < results.size(); ++i) {
    results[i].measurement = measurements[i];
    results[i].speedup =
        measurements[0].latency.p50_ms / std::max(measurements[i].latency.p50_ms, 1e-9);
    if (!options.profile) continue;
    ASSIGN_OR_RETURN(results[i].steps, Profile(*models[i], options, parallel));
  }
  return results;
}

std::string BenchToTable(const std::vector<BenchResult>& results, const BenchOptions& options) {
  using cli::Align;
  cli::Table table;
  table.AddColumn("model", Align::kLeft);
  for (const char* title : {"p50 ms", "p90 ms", "p99 ms", "per second", "speed-up", "int8 MACs",
                            "load ms", "resident"}) {
    table.AddColumn(title, Align::kRight);
  }
  table.AddColumn("kernels", Align::kLeft);
  for (const BenchResult& result : results) {
    const report::Latency& latency = result.measurement.latency;
    std::string kernels;
    for (const auto& [operation, implementation] : result.measurement.executed.kernels) {
      absl::StrAppend(&kernels, kernels.empty() ? "" : ", ", operation, "=", implementation);
    }
    table.AddRow({result.model, absl::StrFormat("%.3f", latency.p50_ms),
                  absl::StrFormat("%.3f", latency.p90_ms), absl::StrFormat("%.3f", latency.p99_ms),
                  absl::StrFormat("%.0f", latency.throughput_per_s),
                  absl::StrFormat("%.2fx", result.speedup),
                  absl::StrFormat("%.2f", result.measurement.executed.int8_macs),
                  absl::StrFormat("%.0f", result.load_ms),
                  cli::FormatBytes(result.measurement.resident_bytes), kernels});
  }
  std::string text = table.Render();
  absl::StrAppend(&text, "batch ", options.batch, ", ", options.threads,
                  options.threads == 1 ? " thread" : " threads",
                  ", CPU: ", std::string(kernels::CpuLevelName(options.features)), "\n");
  for (const BenchResult& result : results) {
    if (result.steps.empty()) continue;
    absl::StrAppend(&text, "\n", result.model, "\n", ProfileToTable(result.steps));
  }
  return text;
}

std::string BenchToJson(const std::vector<BenchResult>& results, const BenchOptions& options) {
  nlohmann::ordered_json json = ToJson(results.front());
  json["batch"] = options.batch;
  json["threads"] = options.threads;
  json["cpu_isa"] = std::string(kernels::CpuLevelName(options.features));
  if (results.size() > 1) {
    json["models"] = nlohmann::ordered_json::array();
    for (const BenchResult& result : results) json["models"].push_back(ToJson(result));
  }
  return json.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace fourfold::tools
