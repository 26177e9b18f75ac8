#pragma once

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "server/base/clock.h"
#include "server/base/task_queue.h"
#include "server/schedule/batcher.h"
#include "server/schedule/job.h"
#include "server/telemetry/metrics.h"

namespace fourfold::kernels {
class Parallel;
}

namespace fourfold::schedule {

struct WorkerMemory;

struct SchedulerOptions {
  int workers = 1;             // executions at the same time, each with an arena of its own
  int threads_per_worker = 1;  // of one execution; as the models were loaded with
  int64_t batch_max = 32;      // samples of one execution; 1: every request runs by itself
  absl::Duration batch_delay_max = absl::ZeroDuration();  // see BatcherOptions::delay_max
  int queue_max = 256;  // requests of a variant that wait; more: latency instead of refusals
  const base::Clock* clock = &base::SystemClock();  // outlives the scheduler
};

// Runs requests on a fixed number of workers, those of one variant together where that is known to
// give the same answers (runtime::StackedPlans). Thread-safe. Destruction completes what still
// waits with UNAVAILABLE.
class Scheduler {
 public:
  // `metrics` outlives the scheduler.
  Scheduler(SchedulerOptions options, telemetry::Metrics& metrics);
  ~Scheduler();

  // Takes the job, or refuses it without calling `done`: RESOURCE_EXHAUSTED if the variant's
  // queue is full, DEADLINE_EXCEEDED, CANCELLED, UNAVAILABLE after Drain. `done` gets
  // DEADLINE_EXCEEDED or CANCELLED if it came to that while waiting, else the outputs or what
  // PlanFor says.
  absl::Status Submit(Job job);

  // Refuses new jobs, finishes those that wait, and joins the workers; what still waits when the
  // clock reaches `until` completes with UNAVAILABLE.
  void Drain(absl::Time until);

 private:
  void Work();
  void Finish(Batch batch, WorkerMemory& memory, kernels::Parallel& parallel);
  // Compiles a plan for more requests in the background.
  void Prepare(Batcher::Wanted wanted);

  const SchedulerOptions options_;
  telemetry::Metrics& metrics_;
  std::atomic<bool> stopping_{false};

  absl::Mutex mutex_;
  Batcher batcher_ ABSL_GUARDED_BY(mutex_);
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;

  std::unique_ptr<base::TaskQueue> preparing_;
  std::vector<std::thread> workers_;
};

}  // namespace fourfold::schedule
