#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "client/client.h"
#include "loadtest/loop.h"

namespace fourfold::loadtest {

struct SenderOptions {
  std::string address;
  int connections = 1;  // requests are spread over them in turn
  std::chrono::nanoseconds timeout = std::chrono::seconds(10);  // of a request, from its sending
};

// Sends prepared requests to one server. Thread-safe after SetRequests.
class Sender {
 public:
  explicit Sender(const SenderOptions& options);

  // For questions beside the load. These, Connect and Ask wait for a minute at most, whatever the
  // load's timeout.
  client::Client& client() { return *clients_.front(); }

  // Makes every connection, so that no request of the load has to. What the server says of itself,
  // or its error.
  absl::StatusOr<client::ServerStatus> Connect();

  // `requests`: per target, per input.
  void SetRequests(std::vector<std::vector<client::EncodedRequest>> requests);

  // Starts one call; see Send in loop.h.
  void Start(const Call& call, std::function<void(const Answer&)> done);
  // One call that waits for its answer.
  Answer Ask(const client::EncodedRequest& request);

 private:
  const absl::Duration timeout_;
  std::vector<std::unique_ptr<client::Client>> clients_;
  std::vector<std::vector<client::EncodedRequest>> requests_;
};

}  // namespace fourfold::loadtest
