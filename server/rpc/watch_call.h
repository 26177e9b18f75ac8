#pragma once

#include <grpcpp/support/server_callback.h>

#include <deque>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "proto/fourfold/v1/variants.pb.h"
#include "server/publish/publisher.h"

namespace fourfold::rpc {

// The events of one job as a stream; deletes itself when done. Progress within a stage that a slow
// client has not read yet is replaced by the newest.
class WatchCall final : public grpc::ServerWriteReactor<fourfold::v1::JobEvent> {
 public:
  // `publisher` outlives the call.
  WatchCall(publish::Publisher& publisher, const std::string& job_id);

  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;

 private:
  // Outlives the call: a notification may be on its way when the call ends.
  struct Shared {
    absl::Mutex mutex;
    WatchCall* call ABSL_GUARDED_BY(mutex) = nullptr;  // null when it has ended
    std::deque<publish::Job> events ABSL_GUARDED_BY(mutex);
    int64_t newest ABSL_GUARDED_BY(mutex) = -1;  // sequence
    bool busy ABSL_GUARDED_BY(mutex) = false;    // a write or the finish is under way
    bool over ABSL_GUARDED_BY(mutex) = false;    // cancelled, or the last event was written
  };

  static void Notify(const std::shared_ptr<Shared>& shared, const publish::Job& job);
  // Starts the next write, or finishes, if there is something to do and nothing under way.
  static void Next(const std::shared_ptr<Shared>& shared);

  const std::shared_ptr<Shared> shared_ = std::make_shared<Shared>();
  std::shared_ptr<const publish::Publisher::Watcher> watch_;
  fourfold::v1::JobEvent event_;  // being written
};

}  // namespace fourfold::rpc
