#include "loadtest/recorder.h"

#include <algorithm>

namespace fourfold::loadtest {

int64_t Figures::ok() const {
  const auto found = statuses.find(absl::StatusCode::kOk);
  return found == statuses.end() ? 0 : found->second;
}

int64_t Figures::ended() const {
  int64_t total = 0;
  for (const auto& [code, count] : statuses) total += count;
  return total;
}

void Figures::Merge(const Figures& other) {
  latency.Merge(other.latency);
  latency_from_send.Merge(other.latency_from_send);
  lateness.Merge(other.lateness);
  for (const auto& [code, count] : other.statuses) statuses[code] += count;
  if (first_error.empty()) first_error = other.first_error;
  good += other.good;
  last_done = std::max(last_done, other.last_done);
  busy += other.busy;
}

Recorder::Recorder(const RecorderOptions& options) : options_(options), targets_(options.targets) {}

void Recorder::Add(const Observation& observation) {
  const absl::Status& status = observation.answer.status();
  ended_.fetch_add(1, std::memory_order_relaxed);
  if (!status.ok()) failed_.fetch_add(1, std::memory_order_relaxed);
  if (!observation.measured) return;
  const auto latency = observation.done - observation.intended;
  const auto lateness = observation.sent - observation.intended;
  if (lateness > options_.late_threshold) late_.fetch_add(1, std::memory_order_relaxed);

  const absl::MutexLock lock(&mutex_);
  Figures& figures = targets_[observation.call.target];
  ++figures.statuses[status.code()];
  figures.lateness.Record(lateness);
  figures.last_done = std::max(figures.last_done, observation.done);
  figures.busy += observation.done - observation.sent;
  if (status.ok()) {
    figures.latency.Record(latency);
    figures.latency_from_send.Record(observation.done - observation.sent);
    if (latency <= options_.deadline) ++figures.good;
  } else if (figures.first_error.empty()) {
    figures.first_error = std::string(status.message());
  }
}

Figures Recorder::Target(size_t target) const {
  const absl::MutexLock lock(&mutex_);
  return targets_[target];
}

Figures Recorder::All() const {
  const absl::MutexLock lock(&mutex_);
  Figures all;
  for (const Figures& figures : targets_) all.Merge(figures);
  return all;
}

}  // namespace fourfold::loadtest
