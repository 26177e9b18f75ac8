#include "server/rpc/inference_service.h"

#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/base/status_macros.h"
#include "server/rpc/datatype.h"
#include "server/rpc/model_address.h"
#include "server/rpc/reply.h"
#include "server/schedule/choose_variant.h"

namespace fourfold::rpc {
namespace {

absl::Status NotImplemented(const char* method) {
  return absl::UnimplementedError(absl::StrCat(
      "inference.GRPCInferenceService/", method,
      " is not implemented by this server; ServerLive, ServerReady, ModelReady, ServerMetadata, "
      "ModelMetadata, ModelInfer, ModelStreamInfer, ModelConfig, ModelStatistics and "
      "RepositoryIndex are, and fourfold.v1.VariantService"));
}

grpc::ServerUnaryReactor* Answer(grpc::CallbackServerContext* context, const absl::Status& status) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  Reply(reactor).Finish(status);
  return reactor;
}

// The version, and the variant that the name alone means.
struct Addressed {
  std::shared_ptr<const registry::ModelVersion> version;
  std::shared_ptr<const registry::Variant> variant;
};

absl::StatusOr<Addressed> FindAddressed(const registry::ModelRegistry& registry,
                                        const std::string& name, const std::string& version) {
  ASSIGN_OR_RETURN(const ModelAddress address, ParseModelAddress(name, version));
  Addressed found;
  ASSIGN_OR_RETURN(found.version, registry.Find(address.model, address.version));
  schedule::VariantWish wish;
  wish.variant = address.variant;
  ASSIGN_OR_RETURN(found.variant, schedule::ChooseVariant(*found.version, wish));
  return found;
}

void Encode(const runtime::TensorInfo& info,
            inference::ModelMetadataResponse::TensorMetadata& tensor) {
  tensor.set_name(info.name);
  tensor.set_datatype(std::string(DatatypeName(info.type)));
  tensor.mutable_shape()->Assign(info.shape.begin(), info.shape.end());
}

}  // namespace

InferenceService::Unary* InferenceService::ServerLive(Context* context,
                                                      In<inference::ServerLiveRequest>,
                                                      inference::ServerLiveResponse* response) {
  response->set_live(true);
  return Answer(context, absl::OkStatus());
}

InferenceService::Unary* InferenceService::ServerReady(Context* context,
                                                       In<inference::ServerReadyRequest>,
                                                       inference::ServerReadyResponse* response) {
  response->set_ready(parts_.ready.load());
  return Answer(context, absl::OkStatus());
}

InferenceService::Unary* InferenceService::ModelReady(Context* context,
                                                      In<inference::ModelReadyRequest> request,
                                                      inference::ModelReadyResponse* response) {
  response->set_ready(parts_.ready.load() &&
                      FindAddressed(parts_.registry, request->name(), request->version()).ok());
  return Answer(context, absl::OkStatus());
}

InferenceService::Unary* InferenceService::ServerMetadata(
    Context* context, In<inference::ServerMetadataRequest>,
    inference::ServerMetadataResponse* response) {
  response->set_name(options_.server_name);
  response->set_version(options_.server_version);
  response->add_extensions("parameters");
  response->add_extensions("model_configuration");
  response->add_extensions("statistics");
  response->add_extensions("fourfold.v1");
  return Answer(context, absl::OkStatus());
}

InferenceService::Unary* InferenceService::ModelMetadata(
    Context* context, In<inference::ModelMetadataRequest> request,
    inference::ModelMetadataResponse* response) {
  return Answer(context, Describe(*request, *response));
}

absl::Status InferenceService::Describe(const inference::ModelMetadataRequest& request,
                                        inference::ModelMetadataResponse& response) const {
  ASSIGN_OR_RETURN(const Addressed found,
                   FindAddressed(parts_.registry, request.name(), request.version()));
  response.set_name(request.name());
  const auto snapshot = parts_.registry.snapshot();
  if (const auto versions = snapshot->find(found.version->model); versions != snapshot->end()) {
    for (const auto& [number, entry] : versions->second)
      response.add_versions(absl::StrCat(number));
  }
  response.set_platform("onnx_fourfold");
  for (const auto& info : found.variant->model->inputs()) Encode(info, *response.add_inputs());
  for (const auto& info : found.variant->model->outputs()) Encode(info, *response.add_outputs());
  (*response.mutable_properties())["variant"] = found.variant->name;
  return absl::OkStatus();
}

InferenceService::Unary* InferenceService::ModelConfig(Context* context,
                                                       In<inference::ModelConfigRequest> request,
                                                       inference::ModelConfigResponse* response) {
  const auto found = FindAddressed(parts_.registry, request->name(), request->version());
  if (found.ok()) {
    *response->mutable_config() =
        EncodeConfig(request->name(), *found->variant, options_.execution);
  }
  return Answer(context, found.status());
}

InferenceService::Unary* InferenceService::ModelStatistics(
    Context* context, In<inference::ModelStatisticsRequest> request,
    inference::ModelStatisticsResponse* response) {
  return Answer(context, Statistics(*request, *response));
}

// A model's figures are those of its variants together.
absl::Status InferenceService::Statistics(const inference::ModelStatisticsRequest& request,
                                          inference::ModelStatisticsResponse& response) const {
  ModelAddress address;
  if (!request.name().empty()) {
    ASSIGN_OR_RETURN(address, ParseModelAddress(request.name(), request.version()));
    RETURN_IF_ERROR(FindAddressed(parts_.registry, request.name(), request.version()).status());
  } else if (!request.version().empty()) {
    return absl::InvalidArgumentError("version: wanted none where no model is named");
  }
  const auto snapshot = parts_.registry.snapshot();
  for (const auto& [model, versions] : *snapshot) {
    if (!request.name().empty() && model != address.model) continue;
    for (const auto& [number, version] : versions) {
      if (address.version != 0 && number != address.version) continue;
      telemetry::VariantStatistics sum;
      int64_t resident_bytes = 0;
      bool counted = false;
      for (const auto& variant : version->variants) {
        if (!address.variant.empty() && variant->name != address.variant) continue;
        counted = true;
        if (variant->series) sum += variant->series->statistics();
        resident_bytes += variant->figures.size.resident_bytes;
      }
      if (!counted) continue;
      *response.add_model_stats() = EncodeStatistics(
          request.name().empty() ? model : request.name(), number, sum, resident_bytes);
    }
  }
  return absl::OkStatus();
}

InferenceService::Unary* InferenceService::RepositoryIndex(
    Context* context, In<inference::RepositoryIndexRequest>,
    inference::RepositoryIndexResponse* response) {
  *response = EncodeIndex(*parts_.registry.snapshot());
  return Answer(context, absl::OkStatus());
}

InferenceService::Unary* InferenceService::ModelInfer(Context* context,
                                                      In<inference::ModelInferRequest> request,
                                                      inference::ModelInferResponse* response) {
  Unary* reactor = context->DefaultReactor();
  StartInfer(parts_, {.request = request,
                      .response = response,
                      .deadline = absl::FromChrono(context->deadline()),
                      .cancelled = [context] { return context->IsCancelled(); },
                      .done = [reply = std::make_shared<Reply>(reactor)](
                                  const absl::Status& status) { reply->Finish(status); }});
  return reactor;
}

grpc::ServerBidiReactor<inference::ModelInferRequest, inference::ModelStreamInferResponse>*
InferenceService::ModelStreamInfer(Context* context) {
  return StreamInferCall::Start(parts_, streams_, context, options_.stream_requests_max);
}

InferenceService::Unary* InferenceService::Lacks(Context* context, const char* method) {
  return Answer(context, NotImplemented(method));
}

}  // namespace fourfold::rpc
