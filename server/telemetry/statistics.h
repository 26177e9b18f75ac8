#pragma once

#include <cstdint>
#include <map>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace fourfold::telemetry {

// How often something happened and how long it took in all.
struct DurationSum {
  int64_t count = 0;
  absl::Duration total = absl::ZeroDuration();

  void Add(absl::Duration duration, int64_t times = 1);
  DurationSum& operator+=(const DurationSum& other);
};

// Sums over the requests of one variant, with the meanings of ModelStatistics in Triton's
// statistics extension. Each request of a batch counts the whole batch's time as its own.
struct VariantStatistics {
  DurationSum success;                           // requests answered, from arrival to answer
  DurationSum failure;                           // requests refused or given up
  std::map<absl::StatusCode, int64_t> failures;  // the same, counted by status
  DurationSum queue;  // the requests that ran: waiting, and the three parts of running
  DurationSum input;
  DurationSum compute;
  DurationSum output;
  int64_t samples = 0;
  int64_t executions = 0;
  absl::Time last = absl::InfinitePast();  // when the last execution ended

  // By samples of one execution; counts are executions.
  struct Batch {
    DurationSum input;
    DurationSum compute;
    DurationSum output;
  };
  std::map<int64_t, Batch> batches;

  VariantStatistics& operator+=(const VariantStatistics& other);
};

}  // namespace fourfold::telemetry
