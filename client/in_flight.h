#pragma once

#include <unordered_set>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "grpcpp/client_context.h"

namespace fourfold::client {

// The asynchronous calls that have not ended. Borrows their contexts from Add to Remove.
// Thread-safe.
class InFlight {
 public:
  void Add(grpc::ClientContext* context);
  void Remove(grpc::ClientContext* context);
  // Cancels every call and returns when all have been removed.
  void CancelAndWait();

 private:
  absl::Mutex mutex_;
  std::unordered_set<grpc::ClientContext*> contexts_ ABSL_GUARDED_BY(mutex_);
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;  // what is added is cancelled
};

}  // namespace fourfold::client
