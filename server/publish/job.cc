#include "server/publish/job.h"

#include "absl/strings/str_cat.h"

namespace fourfold::publish {

absl::string_view JobStateName(JobState state) {
  switch (state) {
    case JobState::kQueued: return "queued";
    case JobState::kRunning: return "running";
    case JobState::kDone: return "done";
    case JobState::kFailed: return "failed";
    case JobState::kCancelled: return "cancelled";
  }
  return "unknown";
}

bool IsFinal(JobState state) { return state != JobState::kQueued && state != JobState::kRunning; }

absl::Status Advance(Job& job, JobState to) {
  const bool legal = (job.state == JobState::kQueued &&
                      (to == JobState::kRunning || to == JobState::kCancelled)) ||
                     (job.state == JobState::kRunning && IsFinal(to));
  if (!legal) {
    return absl::InternalError(absl::StrCat("job ", job.id, " cannot go from ",
                                            JobStateName(job.state), " to ", JobStateName(to)));
  }
  job.state = to;
  return absl::OkStatus();
}

}  // namespace fourfold::publish
