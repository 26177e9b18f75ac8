#pragma once

#include <cstdint>
#include <string>

namespace fourfold::client {

enum class JobState { kUnknown, kQueued, kRunning, kDone, kFailed, kCancelled };

// "queued", "running", "done", "failed", "cancelled" or "unknown".
inline const char* JobStateName(JobState state) {
  switch (state) {
    case JobState::kQueued: return "queued";
    case JobState::kRunning: return "running";
    case JobState::kDone: return "done";
    case JobState::kFailed: return "failed";
    case JobState::kCancelled: return "cancelled";
    case JobState::kUnknown: break;
  }
  return "unknown";
}

// No further event follows.
inline bool IsFinal(JobState state) {
  return state == JobState::kDone || state == JobState::kFailed || state == JobState::kCancelled;
}

struct JobEvent {
  std::string stage;   // "upload", "import", "optimize", "calibrate", "quantize", ...
  double percent = 0;  // of the stage
  std::string message;
  JobState state = JobState::kUnknown;
  int64_t time_unix_ms = 0;
};

// One upload's way from file to served variants.
struct Job {
  std::string job_id;
  std::string model;
  int64_t version = 0;
  JobState state = JobState::kUnknown;
  std::string stage;
  double percent = 0;
  std::string message;
  int64_t created_unix_ms = 0;
  int64_t started_unix_ms = 0;   // 0: not yet
  int64_t finished_unix_ms = 0;  // 0: not yet
};

}  // namespace fourfold::client
