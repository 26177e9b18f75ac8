#include "server/schedule/scheduler.h"

#include <algorithm>
#include <utility>

#include "server/base/log.h"
#include "server/registry/pool_parallel.h"
#include "server/schedule/run_batch.h"

namespace fourfold::schedule {
namespace {

telemetry::Rejection ReasonOf(const absl::Status& status) {
  return absl::IsCancelled(status) ? telemetry::Rejection::kCancelled
                                   : telemetry::Rejection::kDeadline;
}

BatcherOptions ForBatcher(const SchedulerOptions& options) {
  return {.samples_max = options.batch_max,
          .delay_max = options.batch_delay_max,
          .queue_max = options.queue_max,
          .workers = std::max(options.workers, 1)};
}

int64_t Samples(const Batch& batch) {
  const std::vector<graph::Shape>& shapes = batch.jobs.front().shapes;
  const bool stackable = batch.jobs.front().variant->model->batchable() && !shapes.empty();
  const int64_t of_one = stackable && !shapes.front().empty() ? shapes.front()[0] : 1;
  return of_one * static_cast<int64_t>(batch.jobs.size());
}

}  // namespace

Scheduler::Scheduler(SchedulerOptions options, telemetry::Metrics& metrics)
    : options_(options),
      metrics_(metrics),
      batcher_(ForBatcher(options)),
      preparing_(std::make_unique<base::TaskQueue>(1, base::TaskQueue::Priority::kBackground)) {
  for (int i = 0; i < std::max(options_.workers, 1); ++i) workers_.emplace_back([this] { Work(); });
}

Scheduler::~Scheduler() { Drain(absl::InfinitePast()); }

absl::Status Scheduler::Submit(Job job) {
  job.arrived = options_.clock->Now();
  if (absl::Status wanted = StillWanted(job, job.arrived); !wanted.ok()) {
    metrics_.Rejected(ReasonOf(wanted));
    return wanted;
  }
  absl::Status refused;
  {
    absl::MutexLock lock(&mutex_);
    if (closed_) {
      refused = absl::UnavailableError("the server is shutting down");
    } else {
      refused = batcher_.Add(std::move(job));
      metrics_.QueuedRequests(static_cast<int64_t>(batcher_.size()));
    }
  }
  if (!refused.ok()) {
    metrics_.Rejected(absl::IsUnavailable(refused) ? telemetry::Rejection::kShutdown
                                                   : telemetry::Rejection::kQueueFull);
  }
  return refused;
}

void Scheduler::Work() {
  WorkerMemory memory;
  registry::PoolParallel parallel(options_.threads_per_worker);
  while (true) {
    std::optional<Batch> batch;
    std::vector<Batcher::Dropped> dropped;
    std::vector<Batcher::Wanted> wanted;
    {
      absl::MutexLock lock(&mutex_);
      // Until something is due, or is added that will be due earlier than what this sleep is for.
      const absl::Time due = batcher_.NextDue();
      const auto ready = [this, due]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
        const absl::Time next = batcher_.NextDue();
        return closed_ || next < due || next <= options_.clock->Now();
      };
      mutex_.AwaitWithTimeout(absl::Condition(&ready), due - options_.clock->Now());
      if (closed_ && batcher_.empty()) return;
      batch = batcher_.Next(options_.clock->Now(), &dropped);
      wanted = batcher_.TakeWanted();
      metrics_.QueuedRequests(static_cast<int64_t>(batcher_.size()));
    }
    for (Batcher::Dropped& one : dropped) {
      metrics_.Rejected(ReasonOf(one.why));
      one.job.done(std::move(one.why));
    }
    for (Batcher::Wanted& size : wanted) Prepare(std::move(size));
    if (batch) Finish(*std::move(batch), memory, parallel);
  }
}

void Scheduler::Finish(Batch batch, WorkerMemory& memory, kernels::Parallel& parallel) {
  const absl::Time start = options_.clock->Now();
  absl::StatusOr<BatchResult> result = RunBatch(batch, memory, parallel, *options_.clock);
  const std::shared_ptr<const registry::Variant> variant = batch.jobs.front().variant;
  if (result.ok() && variant->series) {
    std::vector<absl::Duration> waited;
    for (const Job& job : batch.jobs) waited.push_back(start - job.arrived);
    variant->series->Executed({.samples = Samples(batch),
                               .waited = waited,
                               .input = result->input,
                               .compute = result->compute,
                               .output = result->output,
                               .ended = options_.clock->Now()});
  }
  if (!result.ok() && batch.jobs.size() > 1) {  // the fault of one is not that of the others
    for (Job& job : batch.jobs) {
      Batch alone;
      alone.jobs.push_back(std::move(job));
      Finish(std::move(alone), memory, parallel);
    }
    return;
  }
  for (size_t i = 0; i < batch.jobs.size(); ++i) {
    if (result.ok()) {
      batch.jobs[i].done(std::move(result->outputs[i]));
    } else {
      batch.jobs[i].done(result.status());
    }
  }
}

void Scheduler::Prepare(Batcher::Wanted wanted) {
  preparing_->Post([this, wanted = std::move(wanted)] {
    if (stopping_) return;
    registry::PoolParallel parallel(options_.threads_per_worker);
    const absl::Status prepared =
        wanted.variant->stacked->Prepare(wanted.shapes, wanted.count, parallel);
    if (prepared.ok()) return;
    base::LogWarning(
        "batch.refused",
        {{"variant", wanted.variant->name}, {"requests", wanted.count}, {"error", prepared}});
  });
}

void Scheduler::Drain(absl::Time until) {
  std::vector<Job> left;
  {
    absl::MutexLock lock(&mutex_);
    closed_ = true;
    batcher_.StopHolding();
    const auto empty = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return batcher_.empty(); };
    mutex_.AwaitWithTimeout(absl::Condition(&empty), until - options_.clock->Now());
    left = batcher_.TakeAll();
    metrics_.QueuedRequests(0);
  }
  for (Job& job : left) {
    metrics_.Rejected(telemetry::Rejection::kShutdown);
    job.done(absl::UnavailableError("the server shut down before the request could run"));
  }
  for (std::thread& worker : workers_) {
    if (worker.joinable()) worker.join();
  }
  stopping_ = true;
  preparing_.reset();
}

}  // namespace fourfold::schedule
