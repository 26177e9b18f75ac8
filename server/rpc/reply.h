#pragma once

#include <grpcpp/support/server_callback.h>

#include <utility>

#include "absl/status/status.h"
#include "server/rpc/status.h"

namespace fourfold::rpc {

// The duty to finish a unary call, once. Dropped without Finish it answers INTERNAL. Not
// thread-safe, but may be handed from thread to thread.
class Reply {
 public:
  explicit Reply(grpc::ServerUnaryReactor* reactor) : reactor_(reactor) {}
  Reply(Reply&& other) noexcept : reactor_(std::exchange(other.reactor_, nullptr)) {}
  Reply& operator=(Reply&&) = delete;
  ~Reply() {
    if (reactor_) Finish(absl::InternalError("the call was dropped without an answer"));
  }

  // After this the call's messages and context are gone.
  void Finish(const absl::Status& status) {
    std::exchange(reactor_, nullptr)->Finish(ToGrpc(status));
  }

 private:
  grpc::ServerUnaryReactor* reactor_;
};

}  // namespace fourfold::rpc
