#pragma once

#include <grpcpp/support/server_callback.h>

#include <deque>
#include <memory>
#include <optional>
#include <set>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "proto/inference/grpc_predict_v2.pb.h"
#include "server/rpc/infer_call.h"

namespace fourfold::rpc {

class StreamInferCall;

// The open streams of a server, so that it can end them. Thread-safe.
class OpenStreams {
 public:
  // False if streams are being ended.
  bool Add(StreamInferCall* stream);
  void Remove(StreamInferCall* stream);

  // Ends those that are open, and each that comes later: what they have sent so far is answered,
  // then they finish with UNAVAILABLE. Does not wait for it.
  void End();

 private:
  absl::Mutex mutex_;
  std::set<StreamInferCall*> streams_ ABSL_GUARDED_BY(mutex_);
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
};

// One ModelStreamInfer: many requests over one call, each answered by one message, in the order in
// which they are done. A request that fails is answered with error_message, and with its id in
// infer_response; the stream goes on. It finishes when the client has half-closed and everything is
// answered. The call keeps itself alive until gRPC is through with it.
class StreamInferCall final : public grpc::ServerBidiReactor<inference::ModelInferRequest,
                                                             inference::ModelStreamInferResponse>,
                              public std::enable_shared_from_this<StreamInferCall> {
 public:
  // Of `requests_max` requests that are not answered yet none more is read. `streams` outlives the
  // call, and so do the parts.
  static StreamInferCall* Start(const InferenceParts& parts, OpenStreams& streams,
                                grpc::CallbackServerContext* context, int requests_max);

  // Reads no more, answers, finishes with UNAVAILABLE.
  void End();

  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;

 private:
  struct Exchange {
    std::optional<inference::ModelInferRequest> request;  // until it is answered
    inference::ModelStreamInferResponse answer;
  };
  enum class Step { kNone, kRead, kWrite, kFinish };

  StreamInferCall(const InferenceParts& parts, OpenStreams& streams,
                  grpc::CallbackServerContext* context, int requests_max)
      : parts_(parts), streams_(streams), context_(context), requests_max_(requests_max) {}

  void Submit(std::unique_ptr<Exchange> exchange);
  void Answer(std::shared_ptr<Exchange> exchange, const absl::Status& status);
  // Does what can be done. One thread at a time is at it, so that nothing is started once the call
  // is finished.
  void Advance();
  Step NextStep() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const InferenceParts parts_;
  OpenStreams& streams_;
  grpc::CallbackServerContext* const context_;
  const int requests_max_;
  std::shared_ptr<StreamInferCall> self_;  // until OnDone

  std::unique_ptr<Exchange> incoming_;  // being read
  std::shared_ptr<Exchange> outgoing_;  // being written

  absl::Mutex mutex_;
  std::deque<std::shared_ptr<Exchange>> answers_ ABSL_GUARDED_BY(mutex_);  // wait to be written
  int unanswered_ ABSL_GUARDED_BY(mutex_) = 0;    // requests read, answers not written yet
  bool reading_ ABSL_GUARDED_BY(mutex_) = false;  // from StartRead until it is submitted
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool half_closed_ ABSL_GUARDED_BY(mutex_) = false;  // the client sends no more
  bool broken_ ABSL_GUARDED_BY(mutex_) = false;       // cancelled: nobody reads answers
  bool ending_ ABSL_GUARDED_BY(mutex_) = false;       // by the server
  bool advancing_ ABSL_GUARDED_BY(mutex_) = false;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace fourfold::rpc
