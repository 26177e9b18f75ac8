#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/graph/tensor.h"
#include "server/registry/model_version.h"
#include "server/runtime/plan.h"

namespace fourfold::schedule {

// One output of a run, row-major.
struct OutputTensor {
  runtime::TensorInfo info;  // shape all known
  std::string bytes;
};

// One inference request.
struct Job {
  std::shared_ptr<const registry::Variant> variant;
  std::vector<graph::Shape> shapes;  // of the inputs, in the model's order
  // The inputs' elements, as many bytes as types and shapes say. Borrowed until `done` is called.
  std::vector<std::span<const std::byte>> inputs;
  absl::Time arrived = absl::InfinitePast();  // set by Scheduler::Submit
  absl::Time deadline = absl::InfiniteFuture();
  std::function<bool()> cancelled;  // the caller has gone; quick, takes no lock; may be null
  // Called once, on a worker's thread, without a lock; does not block.
  std::function<void(absl::StatusOr<std::vector<OutputTensor>>)> done;
};

// OK, or why it need not run any more: CANCELLED, DEADLINE_EXCEEDED.
absl::Status StillWanted(const Job& job, absl::Time now);

// Jobs of one variant and of equal shapes that run together.
struct Batch {
  std::vector<Job> jobs;
  std::shared_ptr<const runtime::Plan> plan;  // of the inputs stacked; null for a single job
};

}  // namespace fourfold::schedule
