#include "server/schedule/batcher.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "absl/strings/str_cat.h"

namespace fourfold::schedule {
namespace {

// How many requests of these shapes fit a batch.
int64_t CountMax(const Job& job, int64_t samples_max) {
  if (job.variant->stacked == nullptr || job.shapes.empty()) return 1;
  int64_t rows = 1;  // the inputs agree on the first dimension, or the plan refuses them
  for (const graph::Shape& shape : job.shapes) {
    if (shape.empty() || shape[0] < 1) return 1;
    rows = std::max(rows, shape[0]);
  }
  return std::max<int64_t>(samples_max / rows, 1);
}

// As long before its deadline a request must start: what one execution was measured to take.
absl::Duration TimeToRun(const Job& job) {
  return absl::Milliseconds(job.variant->figures.latency.p99_ms);
}

}  // namespace

Batcher::Groups::iterator Batcher::Find(const Job& job) {
  return std::find_if(groups_.begin(), groups_.end(), [&](const Group& group) {
    const Job& first = group.jobs.front();
    return first.variant == job.variant && first.shapes == job.shapes;
  });
}

absl::Status Batcher::Add(Job&& job) {
  int& waiting = waiting_[job.variant.get()];
  if (waiting >= options_.queue_max) {
    return absl::ResourceExhaustedError(absl::StrCat(
        "the queue is full: ", waiting, " requests wait for variant ", job.variant->name,
        ", the limit --queue_limit of this server; try again later"));
  }
  ++waiting;
  ++size_;
  auto group = Find(job);
  if (group == groups_.end()) {
    group = groups_.emplace(groups_.end());
    group->count_max = CountMax(job, options_.samples_max);
  }
  group->start_latest = std::min(group->start_latest, job.deadline - TimeToRun(job));
  group->jobs.push_back(std::move(job));
  return absl::OkStatus();
}

absl::Time Batcher::Due(const Group& group) const {
  const Job& first = group.jobs.front();
  // Full, or nobody may join: nothing to wait for.
  if (static_cast<int64_t>(group.jobs.size()) >= group.count_max ||
      waiting_.at(first.variant.get()) >= options_.queue_max) {
    return first.arrived;
  }
  return std::min(first.arrived + options_.delay_max, group.start_latest);
}

absl::Time Batcher::NextDue() const {
  absl::Time due = absl::InfiniteFuture();
  for (const Group& group : groups_) due = std::min(due, Due(group));
  return due;
}

// The largest power of two that has a plan, of at most this worker's share.
int64_t Batcher::CountToTake(const Group& group, std::shared_ptr<const runtime::Plan>* plan) {
  const auto waiting = static_cast<int64_t>(group.jobs.size());
  // What was held back to become one batch is not divided.
  const int64_t workers = options_.delay_max > absl::ZeroDuration() ? 1 : options_.workers;
  const int64_t share = (waiting + workers - 1) / workers;
  const auto wanted =
      static_cast<int64_t>(std::bit_floor(static_cast<uint64_t>(std::min(share, group.count_max))));
  const Job& first = group.jobs.front();
  for (int64_t count = wanted; count > 1; count /= 2) {
    *plan = first.variant->stacked->Find(first.shapes, count);
    if (*plan != nullptr) return count;
    if (first.variant->stacked->Claim(first.shapes, count)) {
      wanted_.push_back({first.variant, first.shapes, count});
    }
  }
  return 1;
}

Batcher::Groups::iterator Batcher::OldestDue(absl::Time now) {
  auto oldest = groups_.end();
  for (auto group = groups_.begin(); group != groups_.end(); ++group) {
    if (Due(*group) > now) continue;
    if (oldest == groups_.end() || group->jobs.front().arrived < oldest->jobs.front().arrived) {
      oldest = group;
    }
  }
  return oldest;
}

void Batcher::Left(const registry::Variant& variant, size_t count) {
  size_ -= count;
  const auto waiting = waiting_.find(&variant);
  waiting->second -= static_cast<int>(count);
  if (waiting->second == 0) waiting_.erase(waiting);
}

void Batcher::DropUnwanted(Group& group, absl::Time now, std::vector<Dropped>* dropped) {
  std::deque<Job> kept;
  for (Job& job : group.jobs) {
    absl::Status wanted = StillWanted(job, now);
    if (wanted.ok()) {
      kept.push_back(std::move(job));
    } else {
      Left(*job.variant, 1);
      dropped->push_back({std::move(job), std::move(wanted)});
    }
  }
  group.jobs = std::move(kept);
}

std::optional<Batch> Batcher::Next(absl::Time now, std::vector<Dropped>* dropped) {
  for (auto group = OldestDue(now); group != groups_.end(); group = OldestDue(now)) {
    DropUnwanted(*group, now, dropped);
    Batch batch;
    if (!group->jobs.empty()) {
      const int64_t count = CountToTake(*group, &batch.plan);
      const auto end = group->jobs.begin() + count;
      batch.jobs.assign(std::make_move_iterator(group->jobs.begin()), std::make_move_iterator(end));
      group->jobs.erase(group->jobs.begin(), end);
      Left(*batch.jobs.front().variant, batch.jobs.size());
    }
    if (group->jobs.empty()) {
      groups_.erase(group);
    } else {
      group->start_latest = absl::InfiniteFuture();
      for (const Job& job : group->jobs) {
        group->start_latest = std::min(group->start_latest, job.deadline - TimeToRun(job));
      }
    }
    if (!batch.jobs.empty()) return batch;
  }
  return std::nullopt;
}

std::vector<Job> Batcher::TakeAll() {
  std::vector<Job> all;
  for (Group& group : groups_) {
    std::move(group.jobs.begin(), group.jobs.end(), std::back_inserter(all));
  }
  groups_.clear();
  waiting_.clear();
  size_ = 0;
  return all;
}

}  // namespace fourfold::schedule
