#include "server/schedule/run_batch.h"

#include <cstring>
#include <memory>
#include <utility>

#include "server/base/status_macros.h"

namespace fourfold::schedule {
namespace {

constexpr size_t kAlignment = 64;

size_t Aligned(size_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

// One buffer for each of the plan's inputs and outputs, side by side.
struct StackedBuffers {
  std::vector<std::byte*> inputs;
  std::vector<std::byte*> outputs;
};

StackedBuffers Reserve(const runtime::Plan& plan, runtime::Arena& arena) {
  size_t bytes = 0;
  for (const auto* tensors : {&plan.inputs(), &plan.outputs()}) {
    for (const runtime::TensorInfo& info : *tensors) bytes += Aligned(info.bytes());
  }
  std::byte* next = arena.Reserve(bytes);
  StackedBuffers buffers;
  for (const runtime::TensorInfo& info : plan.inputs()) {
    buffers.inputs.push_back(next);
    next += Aligned(info.bytes());
  }
  for (const runtime::TensorInfo& info : plan.outputs()) {
    buffers.outputs.push_back(next);
    next += Aligned(info.bytes());
  }
  return buffers;
}

void Gather(const std::vector<Job>& jobs, const std::vector<std::byte*>& inputs) {
  for (size_t t = 0; t < inputs.size(); ++t) {
    std::byte* to = inputs[t];
    for (const Job& job : jobs) {
      std::memcpy(to, job.inputs[t].data(), job.inputs[t].size());
      to += job.inputs[t].size();
    }
  }
}

// The plan's outputs are those of the jobs, one after another along the first dimension.
std::vector<std::vector<OutputTensor>> Scatter(const runtime::Plan& plan, size_t jobs,
                                               const std::vector<std::byte*>& outputs) {
  std::vector<std::vector<OutputTensor>> results(jobs);
  for (size_t t = 0; t < outputs.size(); ++t) {
    runtime::TensorInfo info = plan.outputs()[t];
    info.shape[0] /= static_cast<int64_t>(jobs);
    const size_t bytes = info.bytes();
    for (size_t j = 0; j < jobs; ++j) {
      results[j].push_back(
          {info, std::string(reinterpret_cast<const char*>(outputs[t] + j * bytes), bytes)});
    }
  }
  return results;
}

// A model whose shapes depend on data: its outputs are known when it has run.
absl::StatusOr<BatchResult> RunDynamic(const Job& job, WorkerMemory& memory,
                                       kernels::Parallel& parallel, const base::Clock& clock) {
  const runtime::Model& model = *job.variant->model;
  std::vector<runtime::TensorRef> inputs;
  for (size_t i = 0; i < job.inputs.size(); ++i)
    inputs.push_back({model.inputs()[i].type, job.shapes[i], job.inputs[i].data()});
  const absl::Time start = clock.Now();
  ASSIGN_OR_RETURN(const std::vector<graph::TensorPtr> outputs,
                   model.Execute(inputs, memory.arena, parallel));
  const absl::Time computed = clock.Now();
  std::vector<OutputTensor> results;
  for (size_t i = 0; i < outputs.size(); ++i) {
    const graph::Tensor& output = *outputs[i];
    results.push_back({{model.outputs()[i].name, output.type(), output.shape()},
                       std::string(static_cast<const char*>(output.data()), output.bytes())});
  }
  BatchResult result{.outputs = {},
                     .input = absl::ZeroDuration(),
                     .compute = computed - start,
                     .output = clock.Now() - computed};
  result.outputs.push_back(std::move(results));
  return result;
}

// On the job's own input and the answer's own memory: nothing is copied.
absl::StatusOr<BatchResult> RunSingle(const Job& job, WorkerMemory& memory,
                                      kernels::Parallel& parallel, const base::Clock& clock) {
  if (job.variant->model->dynamic()) return RunDynamic(job, memory, parallel, clock);
  const absl::Time start = clock.Now();
  std::vector<const void*> inputs;
  for (const auto& input : job.inputs) inputs.push_back(input.data());
  ASSIGN_OR_RETURN(const std::shared_ptr<const runtime::Plan> plan,
                   job.variant->model->PlanFor(job.shapes, inputs));
  std::vector<OutputTensor> results;
  results.reserve(plan->outputs().size());
  std::vector<void*> outputs;
  for (const runtime::TensorInfo& info : plan->outputs()) {
    results.push_back({info, std::string(info.bytes(), '\0')});
    outputs.push_back(results.back().bytes.data());
  }
  const absl::Time ready = clock.Now();
  RETURN_IF_ERROR(runtime::Run(*plan, memory.arena, inputs, outputs, parallel));
  BatchResult result{.outputs = {},
                     .input = ready - start,
                     .compute = clock.Now() - ready,
                     .output = absl::ZeroDuration()};
  result.outputs.push_back(std::move(results));
  return result;
}

}  // namespace

absl::StatusOr<BatchResult> RunBatch(const Batch& batch, WorkerMemory& memory,
                                     kernels::Parallel& parallel, const base::Clock& clock) {
  if (batch.plan == nullptr) return RunSingle(batch.jobs.front(), memory, parallel, clock);
  const absl::Time start = clock.Now();
  const StackedBuffers buffers = Reserve(*batch.plan, memory.stacked);
  Gather(batch.jobs, buffers.inputs);
  const std::vector<const void*> inputs(buffers.inputs.begin(), buffers.inputs.end());
  std::vector<void*> outputs(buffers.outputs.begin(), buffers.outputs.end());
  const absl::Time ready = clock.Now();
  RETURN_IF_ERROR(runtime::Run(*batch.plan, memory.arena, inputs, outputs, parallel));
  const absl::Time computed = clock.Now();
  BatchResult result{.outputs = Scatter(*batch.plan, batch.jobs.size(), buffers.outputs),
                     .input = ready - start,
                     .compute = computed - ready,
                     .output = absl::ZeroDuration()};
  result.output = clock.Now() - computed;
  return result;
}

}  // namespace fourfold::schedule
