#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace fourfold::client {

class Client;
struct InferRequest;
struct InferResponse;

// An inference request in the form that goes over the wire: encoded once, sent any number of times,
// by any Client. Immutable; copies share the bytes; thread-safe.
class EncodedRequest {
 public:
  explicit EncodedRequest(const InferRequest& request);

  // The same request to another model (NAME or NAME@VARIANT); shares the inputs' bytes.
  EncodedRequest ForModel(const std::string& model) const;

  // Size of the message.
  int64_t bytes() const;

 private:
  friend class Client;
  struct Message;
  explicit EncodedRequest(std::shared_ptr<const Message> message);
  std::shared_ptr<const Message> message_;
};

// The answer to one, in the form that came over the wire. Immutable; copies share the bytes;
// thread-safe.
class EncodedResponse {
 public:
  // The encoded form of `response`, for tests without a server.
  explicit EncodedResponse(const InferResponse& response);

  int64_t bytes() const;
  // DATA_LOSS: it is no response, or its tensors and bytes do not match.
  absl::StatusOr<InferResponse> Decode() const;

 private:
  friend class Client;
  struct Message;
  explicit EncodedResponse(std::shared_ptr<const Message> message);
  std::shared_ptr<const Message> message_;
};

}  // namespace fourfold::client
