#include "server/telemetry/statistics.h"

#include <algorithm>

namespace fourfold::telemetry {

void DurationSum::Add(absl::Duration duration, int64_t times) {
  count += times;
  total += times * std::max(duration, absl::ZeroDuration());  // a clock may be set back
}

DurationSum& DurationSum::operator+=(const DurationSum& other) {
  count += other.count;
  total += other.total;
  return *this;
}

VariantStatistics& VariantStatistics::operator+=(const VariantStatistics& other) {
  success += other.success;
  failure += other.failure;
  for (const auto& [status, count] : other.failures) failures[status] += count;
  queue += other.queue;
  input += other.input;
  compute += other.compute;
  output += other.output;
  samples += other.samples;
  executions += other.executions;
  last = std::max(last, other.last);
  for (const auto& [size, batch] : other.batches) {
    Batch& sum = batches[size];
    sum.input += batch.input;
    sum.compute += batch.compute;
    sum.output += batch.output;
  }
  return *this;
}

}  // namespace fourfold::telemetry
