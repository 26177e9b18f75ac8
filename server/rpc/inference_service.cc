#include "server/rpc/inference_service.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/base/status_macros.h"
#include "server/rpc/datatype.h"
#include "server/rpc/infer_codec.h"
#include "server/rpc/model_address.h"
#include "server/rpc/reply.h"

namespace fourfold::rpc {
namespace {

absl::Status NotImplemented(const char* method) {
  return absl::UnimplementedError(absl::StrCat(
      "inference.GRPCInferenceService/", method,
      " is not implemented by this server; ServerLive, ServerReady, ModelReady, ServerMetadata, "
      "ModelMetadata, ModelInfer, ModelConfig, ModelStatistics and RepositoryIndex are, and "
      "fourfold.v1.VariantService"));
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

// One ModelInfer from arrival to answer.
struct InferenceService::InferCall {
  InferCall(Context* context, const inference::ModelInferRequest* request,
            inference::ModelInferResponse* response, absl::Time arrived, Reply reply)
      : context(context),
        request(*request),
        response(*response),
        arrived(arrived),
        reply(std::move(reply)) {}

  Context* const context;  // these three live until the reply is finished
  const inference::ModelInferRequest& request;
  inference::ModelInferResponse& response;
  const absl::Time arrived;
  Reply reply;
  std::shared_ptr<const registry::Variant> variant;
  DecodedInputs inputs;
  std::vector<size_t> outputs;
};

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
  const auto call =
      std::make_shared<InferCall>(context, request, response, parts_.clock.Now(), Reply(reactor));
  if (const absl::Status refused = Submit(call); !refused.ok()) {
    if (call->variant && call->variant->series) {
      call->variant->series->RequestDone(refused.code(), parts_.clock.Now() - call->arrived);
    } else {
      parts_.metrics.UnroutedRequest(refused.code());
    }
    call->reply.Finish(refused);
  }
  return reactor;
}

absl::Status InferenceService::Submit(const std::shared_ptr<InferCall>& call) const {
  const inference::ModelInferRequest& request = call->request;
  ASSIGN_OR_RETURN(const ModelAddress address,
                   ParseModelAddress(request.model_name(), request.model_version()));
  ASSIGN_OR_RETURN(const auto version, parts_.registry.Find(address.model, address.version));
  ASSIGN_OR_RETURN(InferWishes wishes, DecodeParameters(request));
  if (!address.variant.empty()) {
    if (!wishes.variant.variant.empty() && wishes.variant.variant != address.variant) {
      return absl::InvalidArgumentError(
          absl::StrCat("parameter variant: got \"", wishes.variant.variant.substr(0, 64),
                       "\", but the model name says \"", address.variant, "\""));
    }
    wishes.variant.variant = address.variant;
  }
  ASSIGN_OR_RETURN(call->variant, schedule::ChooseVariant(*version, wishes.variant));
  ASSIGN_OR_RETURN(call->inputs, DecodeInputs(request, call->variant->model->inputs()));
  ASSIGN_OR_RETURN(call->outputs, DecodeOutputs(request, call->variant->model->outputs()));

  schedule::Job job;
  job.variant = call->variant;
  job.shapes = call->inputs.shapes;
  job.inputs = call->inputs.inputs;
  job.deadline = absl::FromChrono(call->context->deadline());
  if (wishes.timeout) job.deadline = std::min(job.deadline, call->arrived + *wishes.timeout);
  job.cancelled = [call] { return call->context->IsCancelled(); };
  job.done = [this, call, number = version->version](
                 absl::StatusOr<std::vector<schedule::OutputTensor>> outputs) {
    if (outputs.ok()) {
      call->response.set_model_name(call->request.model_name());
      call->response.set_model_version(absl::StrCat(number));
      call->response.set_id(call->request.id());
      (*call->response.mutable_parameters())["variant"].set_string_param(call->variant->name);
      EncodeOutputs(*std::move(outputs), call->outputs, call->response);
    }
    if (call->variant->series) {
      call->variant->series->RequestDone(outputs.status().code(),
                                         parts_.clock.Now() - call->arrived);
    }
    call->reply.Finish(outputs.status());
  };
  return parts_.scheduler.Submit(std::move(job));
}

InferenceService::Unary* InferenceService::Lacks(Context* context, const char* method) {
  return Answer(context, NotImplemented(method));
}

grpc::ServerBidiReactor<inference::ModelInferRequest, inference::ModelStreamInferResponse>*
InferenceService::ModelStreamInfer(Context*) {
  class Refusal final : public grpc::ServerBidiReactor<inference::ModelInferRequest,
                                                       inference::ModelStreamInferResponse> {
   public:
    Refusal() { Finish(ToGrpc(NotImplemented("ModelStreamInfer"))); }
    void OnDone() override { delete this; }
  };
  return new Refusal();
}

}  // namespace fourfold::rpc
