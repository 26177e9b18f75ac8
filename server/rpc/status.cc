#include "server/rpc/status.h"

#include <string>

namespace fourfold::rpc {
namespace {

constexpr size_t kMessageMax = 3500;
constexpr char kCut[] = "... (cut)";

std::string Cut(absl::string_view message) {
  if (message.size() <= kMessageMax) return std::string(message);
  size_t end = kMessageMax;
  while (end > 0 && (static_cast<unsigned char>(message[end]) & 0xc0) == 0x80)
    --end;  // not inside a character
  return std::string(message.substr(0, end)) + kCut;
}

}  // namespace

grpc::Status ToGrpc(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  // Both number the canonical codes alike.
  return {static_cast<grpc::StatusCode>(status.code()), Cut(status.message())};
}

}  // namespace fourfold::rpc
