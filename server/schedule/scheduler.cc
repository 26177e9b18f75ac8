#include "server/schedule/scheduler.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/base/status_macros.h"
#include "server/registry/pool_parallel.h"
#include "server/runtime/executor.h"

namespace fourfold::schedule {
namespace {

absl::StatusOr<std::vector<OutputTensor>> Execute(const Job& job, runtime::Arena& arena,
                                                  kernels::Parallel& parallel) {
  ASSIGN_OR_RETURN(const std::shared_ptr<const runtime::Plan> plan,
                   job.variant->model->PlanFor(job.shapes));
  std::vector<const void*> inputs;
  for (const auto& input : job.inputs) inputs.push_back(input.data());
  std::vector<OutputTensor> results;
  results.reserve(plan->outputs().size());
  std::vector<void*> outputs;
  for (const runtime::TensorInfo& info : plan->outputs()) {
    results.push_back({info, std::string(info.bytes(), '\0')});
    outputs.push_back(results.back().bytes.data());
  }
  runtime::Run(*plan, arena, inputs, outputs, parallel);
  return results;
}

telemetry::Rejection ReasonOf(const absl::Status& status) {
  return absl::IsCancelled(status) ? telemetry::Rejection::kCancelled
                                   : telemetry::Rejection::kDeadline;
}

}  // namespace

Scheduler::Scheduler(SchedulerOptions options, telemetry::Metrics& metrics)
    : options_(options), metrics_(metrics) {
  for (int i = 0; i < std::max(options_.workers, 1); ++i) workers_.emplace_back([this] { Work(); });
}

Scheduler::~Scheduler() { Drain(absl::InfinitePast()); }

absl::Status Scheduler::Wanted(const Job& job) const {
  if (job.cancelled && job.cancelled()) return absl::CancelledError("the caller has gone");
  if (options_.clock->Now() >= job.deadline) {
    return absl::DeadlineExceededError("the request's deadline passed before it ran");
  }
  return absl::OkStatus();
}

absl::Status Scheduler::Submit(Job job) {
  if (const absl::Status wanted = Wanted(job); !wanted.ok()) {
    metrics_.Rejected(ReasonOf(wanted));
    return wanted;
  }
  int64_t waiting = 0;
  {
    absl::MutexLock lock(&mutex_);
    waiting = closed_ ? -1 : static_cast<int64_t>(queue_.size());
    if (waiting >= 0 && waiting < options_.queue_max) {
      queue_.push_back(std::move(job));
      metrics_.QueuedRequests(++waiting);
      return absl::OkStatus();
    }
  }
  if (waiting < 0) {
    metrics_.Rejected(telemetry::Rejection::kShutdown);
    return absl::UnavailableError("the server is shutting down");
  }
  metrics_.Rejected(telemetry::Rejection::kQueueFull);
  return absl::ResourceExhaustedError(
      absl::StrCat("the queue is full: ", waiting,
                   " requests wait, the limit --queue_limit of this server; try again later"));
}

void Scheduler::Work() {
  runtime::Arena arena;
  registry::PoolParallel parallel(options_.threads_per_worker);
  while (true) {
    Job job;
    {
      const auto ready = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
        return closed_ || !queue_.empty();
      };
      absl::MutexLock lock(&mutex_);
      mutex_.Await(absl::Condition(&ready));
      if (queue_.empty()) return;
      job = std::move(queue_.front());
      queue_.pop_front();
      metrics_.QueuedRequests(static_cast<int64_t>(queue_.size()));
    }
    if (absl::Status wanted = Wanted(job); !wanted.ok()) {
      metrics_.Rejected(ReasonOf(wanted));
      job.done(std::move(wanted));
    } else {
      job.done(Execute(job, arena, parallel));
    }
  }
}

void Scheduler::Drain(absl::Time until) {
  std::deque<Job> left;
  {
    absl::MutexLock lock(&mutex_);
    closed_ = true;
    const auto empty = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return queue_.empty(); };
    mutex_.AwaitWithTimeout(absl::Condition(&empty), until - options_.clock->Now());
    left.swap(queue_);
    metrics_.QueuedRequests(0);
  }
  for (Job& job : left) {
    metrics_.Rejected(telemetry::Rejection::kShutdown);
    job.done(absl::UnavailableError("the server shut down before the request could run"));
  }
  for (std::thread& worker : workers_) {
    if (worker.joinable()) worker.join();
  }
}

}  // namespace fourfold::schedule
