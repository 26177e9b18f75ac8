#pragma once

#include <string>

#include "proto/inference/grpc_predict_v2.grpc.pb.h"
#include "server/rpc/infer_call.h"
#include "server/rpc/stream_infer.h"
#include "server/rpc/triton_codec.h"

namespace fourfold::rpc {

struct InferenceOptions {
  ExecutionFacts execution;
  int stream_requests_max = 64;  // read from one stream and not answered yet
  std::string server_name = "fourfold";
  std::string server_version = "0.1.0";
};

// The Open Inference Protocol with Triton's model configuration, statistics, repository index and
// streams.
// Thread-safe.
class InferenceService final : public inference::GRPCInferenceService::CallbackService {
 public:
  InferenceService(InferenceParts parts, InferenceOptions options)
      : parts_(parts), options_(std::move(options)) {}

  template <typename Message>
  using In = const Message*;
  using Context = grpc::CallbackServerContext;
  using Unary = grpc::ServerUnaryReactor;

  Unary* ServerLive(Context* context, In<inference::ServerLiveRequest> request,
                    inference::ServerLiveResponse* response) override;
  Unary* ServerReady(Context* context, In<inference::ServerReadyRequest> request,
                     inference::ServerReadyResponse* response) override;
  Unary* ModelReady(Context* context, In<inference::ModelReadyRequest> request,
                    inference::ModelReadyResponse* response) override;
  Unary* ServerMetadata(Context* context, In<inference::ServerMetadataRequest> request,
                        inference::ServerMetadataResponse* response) override;
  Unary* ModelMetadata(Context* context, In<inference::ModelMetadataRequest> request,
                       inference::ModelMetadataResponse* response) override;
  Unary* ModelInfer(Context* context, In<inference::ModelInferRequest> request,
                    inference::ModelInferResponse* response) override;
  Unary* ModelConfig(Context* context, In<inference::ModelConfigRequest> request,
                     inference::ModelConfigResponse* response) override;
  Unary* ModelStatistics(Context* context, In<inference::ModelStatisticsRequest> request,
                         inference::ModelStatisticsResponse* response) override;
  Unary* RepositoryIndex(Context* context, In<inference::RepositoryIndexRequest> request,
                         inference::RepositoryIndexResponse* response) override;

  // Triton's other extensions answer UNIMPLEMENTED and say so.
#define FOURFOLD_LACKS(method)                                                                  \
  Unary* method(Context* context, In<inference::method##Request>, inference::method##Response*) \
      override {                                                                                \
    return Lacks(context, #method);                                                             \
  }
  FOURFOLD_LACKS(RepositoryModelLoad)
  FOURFOLD_LACKS(RepositoryModelUnload)
  FOURFOLD_LACKS(SystemSharedMemoryStatus)
  FOURFOLD_LACKS(SystemSharedMemoryRegister)
  FOURFOLD_LACKS(SystemSharedMemoryUnregister)
  FOURFOLD_LACKS(CudaSharedMemoryStatus)
  FOURFOLD_LACKS(CudaSharedMemoryRegister)
  FOURFOLD_LACKS(CudaSharedMemoryUnregister)
  FOURFOLD_LACKS(TraceSetting)
  FOURFOLD_LACKS(LogSettings)
#undef FOURFOLD_LACKS
  grpc::ServerBidiReactor<inference::ModelInferRequest, inference::ModelStreamInferResponse>*
  ModelStreamInfer(Context* context) override;

  // Ends open streams and those to come; see OpenStreams.
  void EndStreams() { streams_.End(); }

 private:
  static Unary* Lacks(Context* context, const char* method);
  absl::Status Describe(const inference::ModelMetadataRequest& request,
                        inference::ModelMetadataResponse& response) const;
  absl::Status Statistics(const inference::ModelStatisticsRequest& request,
                          inference::ModelStatisticsResponse& response) const;

  const InferenceParts parts_;
  const InferenceOptions options_;
  OpenStreams streams_;
};

}  // namespace fourfold::rpc
