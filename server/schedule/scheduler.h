#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "server/base/clock.h"
#include "server/graph/tensor.h"
#include "server/registry/model_version.h"
#include "server/runtime/plan.h"
#include "server/telemetry/metrics.h"

namespace fourfold::schedule {

struct SchedulerOptions {
  int workers = 1;             // executions at the same time, each with an arena of its own
  int threads_per_worker = 1;  // of one execution; as the models were loaded with
  int queue_max = 256;         // requests that wait; more: higher latency instead of refusals
  const base::Clock* clock = &base::SystemClock();  // outlives the scheduler
};

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
  absl::Time deadline = absl::InfiniteFuture();
  std::function<bool()> cancelled;  // the caller has gone; may be null
  // Called once, on a worker's thread, without a lock; does not block.
  std::function<void(absl::StatusOr<std::vector<OutputTensor>>)> done;
};

// Runs requests on a fixed number of workers, in the order of arrival. Thread-safe. Destruction
// completes what still waits with UNAVAILABLE.
class Scheduler {
 public:
  // `metrics` outlives the scheduler.
  Scheduler(SchedulerOptions options, telemetry::Metrics& metrics);
  ~Scheduler();

  // Takes the job, or refuses it without calling `done`: RESOURCE_EXHAUSTED if the queue is full,
  // DEADLINE_EXCEEDED, CANCELLED, UNAVAILABLE after Drain. `done` gets DEADLINE_EXCEEDED or
  // CANCELLED if it came to that while waiting, else the outputs or what PlanFor says.
  absl::Status Submit(Job job);

  // Refuses new jobs, finishes those that wait, and joins the workers; what still waits when the
  // clock reaches `until` completes with UNAVAILABLE.
  void Drain(absl::Time until);

 private:
  void Work();
  // OK if the job is still wanted.
  absl::Status Wanted(const Job& job) const;

  const SchedulerOptions options_;
  telemetry::Metrics& metrics_;

  absl::Mutex mutex_;
  std::deque<Job> queue_ ABSL_GUARDED_BY(mutex_);  // oldest first
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;

  std::vector<std::thread> workers_;
};

}  // namespace fourfold::schedule
