#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace fourfold::publish {

enum class JobState { kQueued, kRunning, kDone, kFailed, kCancelled };

absl::string_view JobStateName(JobState state);

// No further change follows.
bool IsFinal(JobState state);

// One upload's way from staged files to served variants.
struct Job {
  std::string id;
  std::string model;
  int64_t version = 0;
  JobState state = JobState::kQueued;
  std::string stage;    // "calibrate", ...
  double percent = 0;   // of the stage, 0 to 100
  std::string message;  // one line; of a failed job why
  absl::Status status;  // of a failed or cancelled job
  absl::Time created;
  absl::Time started = absl::InfinitePast();  // not yet
  absl::Time finished = absl::InfinitePast();
  absl::Time changed;
  int64_t sequence = 0;  // grows with each change: of two copies the larger is the newer
};

// Moves a job on. INTERNAL if there is no such way: queued -> running, queued -> cancelled,
// running -> done, failed or cancelled.
absl::Status Advance(Job& job, JobState to);

}  // namespace fourfold::publish
