#pragma once

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "proto/fourfold/v1/variants.grpc.pb.h"
#include "proto/inference/grpc_predict_v2.grpc.pb.h"
#include "server/server.h"
#include "tests/testing/temporary_directory.h"

namespace fourfold::testing {

// A server on loopback, called over a real channel. Its quantizer is a script that copies ready
// variants: fp32 computes x + 1, int8, the default, x + 2.
class ServerFixture : public ::testing::Test {
 protected:
  ServerFixture();

  void Start();
  void Stop() { server_.reset(); }

  static std::vector<fourfold::v1::UploadRequest> UploadMessages(const std::string& model);
  // Sends the messages; the answer is in `response`.
  grpc::Status Upload(const std::vector<fourfold::v1::UploadRequest>& messages,
                      fourfold::v1::UploadResponse* response);
  // Uploads and waits for the end of the job: its last event.
  fourfold::v1::JobEvent Publish(const std::string& model);
  fourfold::v1::JobEvent WaitForEnd(const std::string& job_id);

  static inference::ModelInferRequest Request(const std::string& model,
                                              const std::vector<float>& x);
  grpc::Status Infer(const inference::ModelInferRequest& request,
                     inference::ModelInferResponse* response);

  std::shared_ptr<grpc::Channel> channel() const { return channel_; }

  TemporaryDirectory store_;
  TemporaryDirectory good_;
  ServerOptions options_;
  std::unique_ptr<Server> server_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<inference::GRPCInferenceService::Stub> inference_;
  std::unique_ptr<fourfold::v1::VariantService::Stub> variants_;
};

}  // namespace fourfold::testing
