#pragma once

#include <grpcpp/support/status.h>

#include "absl/status/status.h"

namespace fourfold::rpc {

// The one place where a Status becomes a gRPC status. Messages are cut below 4 KiB: they travel in
// trailing metadata, which clients and proxies limit.
grpc::Status ToGrpc(const absl::Status& status);

}  // namespace fourfold::rpc
