#pragma once

#include <memory>
#include <span>

#include "absl/status/status.h"
#include "kernels/kernel.h"
#include "server/runtime/plan.h"

namespace fourfold::runtime {

// Memory for one run at a time, grown to the largest plan that used it. Not thread-safe: one per
// worker.
class Arena {
 public:
  // At least `bytes`, aligned to 64. Invalidates what was returned before if it has to grow.
  std::byte* Reserve(size_t bytes);
  size_t bytes() const { return bytes_; }

 private:
  std::shared_ptr<void> memory_;
  size_t bytes_ = 0;
};

// Runs a plan. Inputs and outputs are in the plan's order, row-major, of exactly the plan's sizes;
// nothing of that is checked. INVALID_ARGUMENT names the node whose data were wrong (an index
// outside of its axis); the outputs are then meaningless. Allocates only if the arena has to grow.
absl::Status Run(const Plan& plan, Arena& arena, std::span<const void* const> inputs,
                 std::span<void* const> outputs, kernels::Parallel& parallel);

// A value named in PlanOptions::observed, after Run with this arena and these buffers: where it
// lies and how it is stored. No data for a value that the plan does not compute.
struct Observed {
  const void* data = nullptr;
  kernels::TensorSpec spec;
};
Observed ObservedValue(const Plan& plan, Arena& arena, std::span<const void* const> inputs,
                       std::span<void* const> outputs, graph::ValueId id);

// Run with the wall time of each step added to `step_ns` (as many as plan.steps()).
absl::Status RunProfiled(const Plan& plan, Arena& arena, std::span<const void* const> inputs,
                         std::span<void* const> outputs, kernels::Parallel& parallel,
                         std::span<int64_t> step_ns);

}  // namespace fourfold::runtime
