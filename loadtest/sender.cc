#include "loadtest/sender.h"

#include <future>
#include <utility>

#include "absl/time/time.h"

namespace fourfold::loadtest {
namespace {

constexpr absl::Duration kAskTimeout = absl::Minutes(1);

}  // namespace

Sender::Sender(const SenderOptions& options) : timeout_(absl::FromChrono(options.timeout)) {
  for (int i = 0; i < options.connections; ++i) {
    clients_.push_back(std::make_unique<client::Client>(client::ClientOptions{
        .address = options.address, .call_timeout = kAskTimeout, .own_connection = true}));
  }
}

absl::StatusOr<client::ServerStatus> Sender::Connect() {
  absl::StatusOr<client::ServerStatus> status;
  for (const auto& client : clients_) {
    status = client->Status();
    if (!status.ok()) break;
  }
  return status;
}

void Sender::SetRequests(std::vector<std::vector<client::EncodedRequest>> requests) {
  requests_ = std::move(requests);
}

void Sender::Start(const Call& call, std::function<void(const Answer&)> done) {
  client::Client& client = *clients_[static_cast<size_t>(call.index) % clients_.size()];
  client.InferAsync(requests_[call.target][call.input], timeout_, std::move(done));
}

Answer Sender::Ask(const client::EncodedRequest& request) {
  // Shared: the promise is still at work when its future has the answer.
  const auto promise = std::make_shared<std::promise<Answer>>();
  std::future<Answer> future = promise->get_future();
  client().InferAsync(request, kAskTimeout,
                      [promise](Answer answer) { promise->set_value(std::move(answer)); });
  return future.get();
}

}  // namespace fourfold::loadtest
