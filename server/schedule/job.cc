#include "server/schedule/job.h"

namespace fourfold::schedule {

absl::Status StillWanted(const Job& job, absl::Time now) {
  if (job.cancelled && job.cancelled()) return absl::CancelledError("the caller has gone");
  if (now >= job.deadline) {
    return absl::DeadlineExceededError("the request's deadline passed before it ran");
  }
  return absl::OkStatus();
}

}  // namespace fourfold::schedule
