#include "server/rpc/watch_call.h"

#include <utility>

#include "server/rpc/status.h"
#include "server/rpc/variant_codec.h"

namespace fourfold::rpc {

WatchCall::WatchCall(publish::Publisher& publisher, const std::string& job_id) {
  {
    absl::MutexLock lock(&shared_->mutex);
    shared_->call = this;
    shared_->busy = true;  // nothing is written before the watch is in place
  }
  auto watch =
      publisher.Watch(job_id, [shared = shared_](const publish::Job& job) { Notify(shared, job); });
  if (!watch.ok()) {
    {
      absl::MutexLock lock(&shared_->mutex);
      shared_->call = nullptr;
    }
    Finish(ToGrpc(watch.status()));
    return;
  }
  watch_ = *std::move(watch);
  {
    absl::MutexLock lock(&shared_->mutex);
    shared_->busy = false;
  }
  Next(shared_);
}

void WatchCall::Notify(const std::shared_ptr<Shared>& shared, const publish::Job& job) {
  {
    absl::MutexLock lock(&shared->mutex);
    if (job.sequence <= shared->newest) return;
    shared->newest = job.sequence;
    auto& events = shared->events;
    if (!events.empty() && events.back().stage == job.stage && events.back().state == job.state) {
      events.back() = job;
    } else {
      events.push_back(job);
    }
  }
  Next(shared);
}

void WatchCall::Next(const std::shared_ptr<Shared>& shared) {
  WatchCall* call = nullptr;
  bool finish = false;
  {
    absl::MutexLock lock(&shared->mutex);
    if (shared->busy || !shared->call) return;
    call = shared->call;
    if (shared->over) {
      finish = true;
      shared->call = nullptr;
    } else if (!shared->events.empty()) {
      call->event_.Clear();
      Encode(shared->events.front(), call->event_);
      shared->over = publish::IsFinal(shared->events.front().state);
      shared->events.pop_front();
    } else {
      return;
    }
    shared->busy = true;  // from here on only this thread can end the call
  }
  // Without the lock: gRPC may run reactions on this thread.
  if (finish) {
    call->Finish(grpc::Status::OK);
  } else {
    call->StartWrite(&call->event_);
  }
}

void WatchCall::OnWriteDone(bool ok) {
  {
    absl::MutexLock lock(&shared_->mutex);
    shared_->busy = false;
    if (!ok) shared_->over = true;
  }
  Next(shared_);
}

void WatchCall::OnCancel() {
  {
    absl::MutexLock lock(&shared_->mutex);
    shared_->over = true;
  }
  Next(shared_);
}

void WatchCall::OnDone() { delete this; }

}  // namespace fourfold::rpc
