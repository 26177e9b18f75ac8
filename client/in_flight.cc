#include "client/in_flight.h"

namespace fourfold::client {

void InFlight::Add(grpc::ClientContext* context) {
  const absl::MutexLock lock(&mutex_);
  contexts_.insert(context);
  // A context that is cancelled before its call begins ends the call at once.
  if (closed_) context->TryCancel();
}

void InFlight::Remove(grpc::ClientContext* context) {
  const absl::MutexLock lock(&mutex_);
  contexts_.erase(context);
}

void InFlight::CancelAndWait() {
  const absl::MutexLock lock(&mutex_);
  closed_ = true;
  // Under the lock, so that no context goes while it is being cancelled; a cancelled call's end is
  // told on another thread.
  for (grpc::ClientContext* context : contexts_) context->TryCancel();
  mutex_.Await(absl::Condition(
      +[](std::unordered_set<grpc::ClientContext*>* contexts) { return contexts->empty(); },
      &contexts_));
}

}  // namespace fourfold::client
