#include "server/runtime/executor.h"

#include <array>
#include <chrono>

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
             kernels::Parallel& parallel) {
  std::array<const void*, kMaxOperands> inputs;
  std::array<void*, kMaxOperands> outputs;
  for (size_t i = 0; i < step.inputs.size(); ++i) {
    inputs[i] = buffers.Readable(plan.storages[static_cast<size_t>(step.inputs[i])]);
  }
  for (size_t i = 0; i < step.outputs.size(); ++i) {
    outputs[i] = buffers.Writable(plan.storages[static_cast<size_t>(step.outputs[i])]);
  }
  kernels::RunArgs args;
  args.inputs = {inputs.data(), step.inputs.size()};
  args.outputs = {outputs.data(), step.outputs.size()};
  if (step.scratch >= 0) {
    args.scratch = buffers.Writable(plan.storages[static_cast<size_t>(step.scratch)]);
  }
  args.parallel = &parallel;
  step.kernel->Run(args);
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

void Run(const Plan& plan, Arena& arena, std::span<const void* const> inputs,
         std::span<void* const> outputs, kernels::Parallel& parallel) {
  const Buffers buffers{arena.Reserve(plan.arena_bytes()), inputs, outputs};
  for (const Step& step : plan.impl().steps) RunStep(plan.impl(), step, buffers, parallel);
}

void RunProfiled(const Plan& plan, Arena& arena, std::span<const void* const> inputs,
                 std::span<void* const> outputs, kernels::Parallel& parallel,
                 std::span<int64_t> step_ns) {
  using Clock = std::chrono::steady_clock;
  const Buffers buffers{arena.Reserve(plan.arena_bytes()), inputs, outputs};
  Clock::time_point before = Clock::now();
  for (size_t i = 0; i < plan.impl().steps.size(); ++i) {
    RunStep(plan.impl(), plan.impl().steps[i], buffers, parallel);
    const Clock::time_point after = Clock::now();
    step_ns[i] += std::chrono::duration_cast<std::chrono::nanoseconds>(after - before).count();
    before = after;
  }
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
