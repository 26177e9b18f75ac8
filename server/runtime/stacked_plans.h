#pragma once

#include <list>
#include <memory>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "server/runtime/model.h"

namespace fourfold::runtime {

// Plans that answer several requests of equal shapes in one run, their inputs stacked along the
// first dimension. Such a plan is used only after it was seen to give each request the answer that
// it gets alone: of models with integer arithmetic the same bytes, of others the same numbers but
// for rounding. So a model that mixes its samples is never batched, whatever its shapes promise.
// Thread-safe.
class StackedPlans {
 public:
  // Outlived by the model. Keeps the plans_max most recently used plans.
  explicit StackedPlans(const Model& model, size_t plans_max = 12)
      : model_(model), plans_max_(plans_max) {}

  // The plan for `count` requests of these shapes; null if Prepare has not made it (yet).
  std::shared_ptr<const Plan> Find(const std::vector<graph::Shape>& shapes, int64_t count) const;

  // Whether the caller is to Prepare this: it is the first who asks.
  bool Claim(const std::vector<graph::Shape>& shapes, int64_t count);

  // Compiles the plan and tries it with `parallel`, as the model's options say. FAILED_PRECONDITION
  // if the answers differ: says where; RESOURCE_EXHAUSTED over the batch_arena_bytes_max of the
  // model; errors of
  // compiling. What failed is not claimed again.
  absl::Status Prepare(const std::vector<graph::Shape>& shapes, int64_t count,
                       kernels::Parallel& parallel);

 private:
  struct Entry {
    std::vector<graph::Shape> shapes;
    int64_t count = 0;
    std::shared_ptr<const Plan> plan;  // null: being made, or refused
  };

  Entry* FindEntry(const std::vector<graph::Shape>& shapes, int64_t count) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const Model& model_;
  const size_t plans_max_;

  mutable absl::Mutex mutex_;
  mutable std::list<Entry> entries_ ABSL_GUARDED_BY(mutex_);  // most recently used first
};

// The shapes of `count` requests stacked.
std::vector<graph::Shape> Stacked(std::vector<graph::Shape> shapes, int64_t count);

}  // namespace fourfold::runtime
