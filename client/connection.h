#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "client/client.h"
#include "client/in_flight.h"
#include "grpcpp/generic/generic_stub.h"
#include "grpcpp/grpcpp.h"
#include "proto/fourfold/v1/variants.grpc.pb.h"
#include "proto/inference/grpc_predict_v2.grpc.pb.h"

namespace fourfold::client {

// What client/*.cc share of gRPC; no header that users of the library see includes this.
struct Client::Connection {
  explicit Connection(ClientOptions client_options);

  // The same code and message as absl::Status; UNAVAILABLE and DEADLINE_EXCEEDED name the address.
  absl::Status ToStatus(const grpc::Status& status) const;
  // Lets a unary call end after options.call_timeout.
  void SetDeadline(grpc::ClientContext& context) const;

  const ClientOptions options;
  const std::shared_ptr<grpc::Channel> channel;
  grpc::GenericStub bytes;  // calls whose messages are encoded already
  const std::unique_ptr<v1::VariantService::Stub> variants;
  const std::unique_ptr<inference::GRPCInferenceService::Stub> inference;
  InFlight in_flight;
};

}  // namespace fourfold::client
