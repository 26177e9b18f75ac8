#include "server/rpc/stream_infer.h"

#include <grpcpp/server_context.h>

#include <string>
#include <utility>
#include <vector>

#include "server/rpc/status.h"

namespace fourfold::rpc {

bool OpenStreams::Add(StreamInferCall* stream) {
  absl::MutexLock lock(&mutex_);
  if (ended_) return false;
  streams_.insert(stream);
  return true;
}

void OpenStreams::Remove(StreamInferCall* stream) {
  absl::MutexLock lock(&mutex_);
  streams_.erase(stream);
}

void OpenStreams::End() {
  std::vector<std::shared_ptr<StreamInferCall>> open;
  {
    absl::MutexLock lock(&mutex_);
    ended_ = true;
    for (StreamInferCall* stream : streams_) open.push_back(stream->shared_from_this());
  }
  for (const auto& stream : open) stream->End();
}

StreamInferCall* StreamInferCall::Start(const InferenceParts& parts, OpenStreams& streams,
                                        grpc::CallbackServerContext* context, int requests_max) {
  const std::shared_ptr<StreamInferCall> call(
      new StreamInferCall(parts, streams, context, requests_max));
  call->self_ = call;
  if (streams.Add(call.get())) {
    call->Advance();
  } else {
    call->End();
  }
  return call.get();
}

void StreamInferCall::End() {
  {
    absl::MutexLock lock(&mutex_);
    ending_ = true;
  }
  Advance();
}

void StreamInferCall::OnReadDone(bool ok) {
  std::unique_ptr<Exchange> read = std::move(incoming_);
  {
    absl::MutexLock lock(&mutex_);
    if (finished_) return;  // ended meanwhile
    if (ok) {
      ++unanswered_;
    } else {
      half_closed_ = true;  // or cancelled, then OnCancel comes too
    }
  }
  if (ok) Submit(std::move(read));
  {
    absl::MutexLock lock(&mutex_);
    reading_ = false;  // not before: requests are submitted in the order in which they came
  }
  Advance();
}

void StreamInferCall::Submit(std::unique_ptr<Exchange> exchange) {
  const std::shared_ptr<Exchange> shared = std::move(exchange);
  InferCall call;
  call.request = &*shared->request;
  call.response = shared->answer.mutable_infer_response();
  call.deadline = absl::FromChrono(context_->deadline());
  call.cancelled = [this] { return context_->IsCancelled(); };
  call.done = [self = shared_from_this(), shared](const absl::Status& status) {
    self->Answer(shared, status);
  };
  StartInfer(parts_, std::move(call));
}

void StreamInferCall::Answer(std::shared_ptr<Exchange> exchange, const absl::Status& status) {
  inference::ModelInferResponse& response = *exchange->answer.mutable_infer_response();
  if (status.ok()) {
    // Every request has one answer, so each is the last of its request.
    (*response.mutable_parameters())["triton_final_response"].set_bool_param(true);
  } else {
    const std::string code = absl::StatusCodeToString(status.code());
    exchange->answer.set_error_message(status.message().empty() ? code
                                                                : std::string(status.message()));
    response.Clear();
    response.set_id(exchange->request->id());
  }
  exchange->request.reset();  // its memory need not wait for a slow reader
  {
    absl::MutexLock lock(&mutex_);
    answers_.push_back(std::move(exchange));
  }
  Advance();
}

StreamInferCall::Step StreamInferCall::NextStep() {
  if (broken_) {
    unanswered_ -= static_cast<int>(answers_.size());
    answers_.clear();
  }
  if (!writing_ && !answers_.empty()) {
    writing_ = true;
    outgoing_ = std::move(answers_.front());
    answers_.pop_front();
    return Step::kWrite;
  }
  if (!half_closed_ && !broken_ && !ending_) {
    if (reading_ || unanswered_ >= requests_max_) return Step::kNone;
    reading_ = true;
    return Step::kRead;
  }
  if (unanswered_ > 0) return Step::kNone;
  finished_ = true;
  return Step::kFinish;
}

void StreamInferCall::Advance() {
  const std::shared_ptr<StreamInferCall> self = shared_from_this();  // OnDone may come meanwhile
  bool half_closed = false;
  {
    absl::MutexLock lock(&mutex_);
    if (advancing_ || finished_) return;  // who is at it sees what changed
    advancing_ = true;
  }
  while (true) {
    Step step;
    {
      absl::MutexLock lock(&mutex_);
      step = NextStep();
      half_closed = half_closed_;
      if (step == Step::kNone) advancing_ = false;
    }
    // Without the lock: gRPC may run reactions on this thread.
    switch (step) {
      case Step::kNone: return;
      case Step::kRead:
        incoming_ = std::make_unique<Exchange>();
        StartRead(&incoming_->request.emplace());
        break;
      case Step::kWrite: StartWrite(&outgoing_->answer); break;
      case Step::kFinish:
        Finish(half_closed
                   ? grpc::Status::OK
                   : ToGrpc(absl::UnavailableError("the server is shutting down; the stream ended "
                                                   "before the client had finished it")));
        return;
    }
  }
}

void StreamInferCall::OnWriteDone(bool ok) {
  const std::shared_ptr<Exchange> written = std::move(outgoing_);
  {
    absl::MutexLock lock(&mutex_);
    writing_ = false;
    --unanswered_;
    if (!ok) broken_ = true;
  }
  Advance();
}

void StreamInferCall::OnCancel() {
  {
    absl::MutexLock lock(&mutex_);
    broken_ = true;
  }
  Advance();
}

void StreamInferCall::OnDone() {
  streams_.Remove(this);
  self_.reset();
}

}  // namespace fourfold::rpc
