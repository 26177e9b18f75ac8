#include "server/runtime/executor.h"

#include <array>
#include <chrono>

#include "absl/strings/str_cat.h"
#include "server/runtime/plan_impl.h"

namespace fourfold::runtime {
namespace {

struct Buffers {
  std::byte* arena;
  std::span<const void* const> inputs;
  std::span<void* const> outputs;

  const void* Readable(const Storage& storage) const {
    switch (storage.kind) {
      case Storage::Kind::kArena: return arena + storage.offset;
      case Storage::Kind::kConstant: return storage.constant;
      case Storage::Kind::kInput: return inputs[storage.index];
      case Storage::Kind::kOutput: return outputs[storage.index];
    }
    return nullptr;
  }

  void* Writable(const Storage& storage) const {
    return storage.kind == Storage::Kind::kOutput ? outputs[storage.index] : arena + storage.offset;
  }
};

void RunStep(const Plan::Impl& plan, const Step& step, const Buffers& buffers,
             kernels::Parallel& parallel, kernels::Fault& fault) {
  std::array<const void*, kMaxOperands> inputs;
  std::array<void*, kMaxOperands> outputs;
  for (size_t i = 0; i < step.inputs.size(); ++i) {
    const int from = step.inputs[i];
    inputs[i] = from < 0 ? nullptr : buffers.Readable(plan.storages[static_cast<size_t>(from)]);
  }
  for (size_t i = 0; i < step.outputs.size(); ++i) {
    const int to = step.outputs[i];
    outputs[i] = to < 0 ? nullptr : buffers.Writable(plan.storages[static_cast<size_t>(to)]);
  }
  kernels::RunArgs args;
  args.inputs = {inputs.data(), step.inputs.size()};
  args.outputs = {outputs.data(), step.outputs.size()};
  if (step.scratch >= 0) {
    args.scratch = buffers.Writable(plan.storages[static_cast<size_t>(step.scratch)]);
  }
  args.parallel = &parallel;
  args.fault = &fault;
  step.kernel->Run(args);
}

absl::Status Faulty(const Plan& plan, size_t step, const kernels::Fault& fault) {
  const StepInfo& info = plan.steps()[step];
  return absl::InvalidArgumentError(
      absl::StrCat("node \"", info.node, "\" (", info.operation, "): ", fault.what()));
}

}  // namespace

std::byte* Arena::Reserve(size_t bytes) {
  if (memory_ == nullptr || bytes > bytes_) {
    memory_.reset();  // before the larger one is taken
    memory_ = kernels::AllocateAligned(bytes);
    bytes_ = bytes;
  }
  return static_cast<std::byte*>(memory_.get());
}

absl::Status Run(const Plan& plan, Arena& arena, std::span<const void* const> inputs,
                 std::span<void* const> outputs, kernels::Parallel& parallel) {
  const Buffers buffers{arena.Reserve(plan.arena_bytes()), inputs, outputs};
  kernels::Fault fault;
  const std::vector<Step>& steps = plan.impl().steps;
  for (size_t i = 0; i < steps.size(); ++i) {
    RunStep(plan.impl(), steps[i], buffers, parallel, fault);
    if (fault.what() != nullptr) return Faulty(plan, i, fault);
  }
  return absl::OkStatus();
}

absl::Status RunProfiled(const Plan& plan, Arena& arena, std::span<const void* const> inputs,
                         std::span<void* const> outputs, kernels::Parallel& parallel,
                         std::span<int64_t> step_ns) {
  using Clock = std::chrono::steady_clock;
  const Buffers buffers{arena.Reserve(plan.arena_bytes()), inputs, outputs};
  kernels::Fault fault;
  Clock::time_point before = Clock::now();
  for (size_t i = 0; i < plan.impl().steps.size(); ++i) {
    RunStep(plan.impl(), plan.impl().steps[i], buffers, parallel, fault);
    if (fault.what() != nullptr) return Faulty(plan, i, fault);
    const Clock::time_point after = Clock::now();
    step_ns[i] += std::chrono::duration_cast<std::chrono::nanoseconds>(after - before).count();
    before = after;
  }
  return absl::OkStatus();
}

Observed ObservedValue(const Plan& plan, Arena& arena, std::span<const void* const> inputs,
                       std::span<void* const> outputs, graph::ValueId id) {
  const Buffers buffers{arena.Reserve(plan.arena_bytes()), inputs, outputs};
  for (const auto& [observed, view] : plan.impl().observed) {
    if (observed != id) continue;
    return {buffers.Readable(plan.impl().storages[static_cast<size_t>(view.storage)]), view.spec};
  }
  return {};
}

}  // namespace fourfold::runtime
