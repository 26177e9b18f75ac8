#pragma once

#include <string>
#include <vector>

#include "proto/fourfold/v1/variants.grpc.pb.h"
#include "server/base/task_queue.h"
#include "server/publish/publisher.h"
#include "server/registry/model_registry.h"
#include "server/store/model_store.h"

namespace fourfold::rpc {

// What the service works with; all outlive it.
struct VariantParts {
  store::ModelStore& store;
  registry::ModelRegistry& registry;
  publish::Publisher& publisher;
};

struct VariantOptions {
  std::vector<std::string> variants_offered = {"fp32", "fp16", "hybrid", "int8"};
  int disk_threads = 2;  // that write uploads and delete models
};

// Upload, jobs, comparison, download, deletion. Thread-safe.
class VariantService final : public fourfold::v1::VariantService::CallbackService {
 public:
  VariantService(VariantParts parts, VariantOptions options)
      : parts_(parts), options_(std::move(options)), disk_(options_.disk_threads) {}

  template <typename Message>
  using In = const Message*;
  using Context = grpc::CallbackServerContext;
  using Unary = grpc::ServerUnaryReactor;

  grpc::ServerReadReactor<fourfold::v1::UploadRequest>* Upload(
      Context* context, fourfold::v1::UploadResponse* response) override;
  grpc::ServerWriteReactor<fourfold::v1::JobEvent>* WatchJob(
      Context* context, In<fourfold::v1::WatchJobRequest> request) override;
  Unary* GetJob(Context* context, In<fourfold::v1::GetJobRequest> request,
                fourfold::v1::Job* response) override;
  Unary* ListJobs(Context* context, In<fourfold::v1::ListJobsRequest> request,
                  fourfold::v1::ListJobsResponse* response) override;
  Unary* CancelJob(Context* context, In<fourfold::v1::CancelJobRequest> request,
                   fourfold::v1::Job* response) override;
  Unary* ListModels(Context* context, In<fourfold::v1::ListModelsRequest> request,
                    fourfold::v1::ListModelsResponse* response) override;
  Unary* DescribeModel(Context* context, In<fourfold::v1::DescribeModelRequest> request,
                       fourfold::v1::DescribeModelResponse* response) override;
  Unary* CompareVariants(Context* context, In<fourfold::v1::CompareVariantsRequest> request,
                         fourfold::v1::Comparison* response) override;
  grpc::ServerWriteReactor<fourfold::v1::DownloadVariantResponse>* DownloadVariant(
      Context* context, In<fourfold::v1::DownloadVariantRequest> request) override;
  Unary* DeleteModel(Context* context, In<fourfold::v1::DeleteModelRequest> request,
                     fourfold::v1::DeleteModelResponse* response) override;

 private:
  absl::Status Delete(const fourfold::v1::DeleteModelRequest& request,
                      fourfold::v1::DeleteModelResponse& response);

  const VariantParts parts_;
  const VariantOptions options_;

  base::TaskQueue disk_;
};

}  // namespace fourfold::rpc
