#include "client/client.h"

#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/connection.h"
#include "client/convert.h"

namespace fourfold::client {
namespace {

std::string VersionText(int64_t version) { return version == 0 ? "" : absl::StrCat(version); }

grpc::ChannelArguments ChannelArguments(const ClientOptions& options) {
  grpc::ChannelArguments arguments;
  // The server has the limits that count; the default of 4 MiB would refuse large outputs.
  arguments.SetMaxReceiveMessageSize(-1);
  arguments.SetMaxSendMessageSize(-1);
  arguments.SetUserAgentPrefix("fourfold-client");
  if (options.own_connection) arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return arguments;
}

}  // namespace

Client::Connection::Connection(ClientOptions client_options)
    : options(std::move(client_options)),
      channel(grpc::CreateCustomChannel(options.address, grpc::InsecureChannelCredentials(),
                                        ChannelArguments(options))),
      bytes(channel),
      variants(v1::VariantService::NewStub(channel)),
      inference(inference::GRPCInferenceService::NewStub(channel)) {}

absl::Status Client::Connection::ToStatus(const grpc::Status& status) const {
  if (status.ok()) return absl::OkStatus();
  std::string message = status.error_message();
  if (status.error_code() == grpc::StatusCode::UNAVAILABLE) {
    message = absl::StrCat("no answer from a server at ", options.address, ": ", message);
  } else if (status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED) {
    message = absl::StrCat("server at ", options.address, ": ", message);
  }
  // Both number their codes alike (google.rpc.Code).
  return absl::Status(static_cast<absl::StatusCode>(status.error_code()), message);
}

void Client::Connection::SetDeadline(grpc::ClientContext& context) const {
  context.set_deadline(std::chrono::system_clock::now() +
                       absl::ToChronoMilliseconds(options.call_timeout));
}

Client::Client(ClientOptions options)
    : connection_(std::make_unique<Connection>(std::move(options))) {}

Client::~Client() { connection_->in_flight.CancelAndWait(); }

const std::string& Client::address() const { return connection_->options.address; }

namespace {

// Runs one unary call: (stub.*method)(context, request, response).
template <typename Response, typename Connection, typename Stub, typename Method, typename Request>
absl::StatusOr<Response> Call(const Connection& connection, Stub& stub, Method method,
                              const Request& request) {
  grpc::ClientContext context;
  connection.SetDeadline(context);
  Response response;
  const absl::Status status = connection.ToStatus((stub.*method)(&context, request, &response));
  if (!status.ok()) return status;
  return response;
}

using VariantStub = v1::VariantService::Stub;
using InferenceStub = inference::GRPCInferenceService::Stub;

}  // namespace

absl::StatusOr<ServerStatus> Client::Status() {
  InferenceStub& stub = *connection_->inference;
  auto live = Call<inference::ServerLiveResponse>(*connection_, stub, &InferenceStub::ServerLive,
                                                  inference::ServerLiveRequest());
  if (!live.ok()) return live.status();
  auto ready = Call<inference::ServerReadyResponse>(*connection_, stub, &InferenceStub::ServerReady,
                                                    inference::ServerReadyRequest());
  if (!ready.ok()) return ready.status();
  auto metadata = Call<inference::ServerMetadataResponse>(
      *connection_, stub, &InferenceStub::ServerMetadata, inference::ServerMetadataRequest());
  if (!metadata.ok()) return metadata.status();
  return ServerStatus{live->live(),
                      ready->ready(),
                      metadata->name(),
                      metadata->version(),
                      {metadata->extensions().begin(), metadata->extensions().end()}};
}

absl::StatusOr<std::vector<TensorDescription>> Client::Inputs(const std::string& model,
                                                              int64_t version) {
  inference::ModelMetadataRequest request;
  request.set_name(model);
  request.set_version(VersionText(version));
  auto response = Call<inference::ModelMetadataResponse>(*connection_, *connection_->inference,
                                                         &InferenceStub::ModelMetadata, request);
  if (!response.ok()) return response.status();
  return fourfold::client::FromProto(response->inputs());
}

absl::StatusOr<JobEvent> Client::WatchJob(const std::string& job_id,
                                          const std::function<void(const JobEvent&)>& on_event) {
  grpc::ClientContext context;
  v1::WatchJobRequest request;
  request.set_job_id(job_id);
  const auto reader = connection_->variants->WatchJob(&context, request);
  JobEvent last;
  v1::JobEvent proto;
  while (reader->Read(&proto)) {
    last = fourfold::client::FromProto(proto);
    on_event(last);
  }
  const absl::Status status = connection_->ToStatus(reader->Finish());
  if (!status.ok()) return status;
  if (!IsFinal(last.state)) {
    return absl::UnavailableError(absl::StrCat("the server at ", address(), " ended the events of ",
                                               "job ", job_id, " while it was ",
                                               JobStateName(last.state)));
  }
  return last;
}

absl::StatusOr<Job> Client::GetJob(const std::string& job_id) {
  v1::GetJobRequest request;
  request.set_job_id(job_id);
  auto job = Call<v1::Job>(*connection_, *connection_->variants, &VariantStub::GetJob, request);
  if (!job.ok()) return job.status();
  return fourfold::client::FromProto(*job);
}

absl::StatusOr<std::vector<Job>> Client::Jobs(const std::string& model) {
  v1::ListJobsRequest request;
  request.set_model(model);
  auto response = Call<v1::ListJobsResponse>(*connection_, *connection_->variants,
                                             &VariantStub::ListJobs, request);
  if (!response.ok()) return response.status();
  std::vector<Job> jobs;
  for (const v1::Job& job : response->jobs()) jobs.push_back(fourfold::client::FromProto(job));
  return jobs;
}

absl::StatusOr<Job> Client::Cancel(const std::string& job_id) {
  v1::CancelJobRequest request;
  request.set_job_id(job_id);
  auto job = Call<v1::Job>(*connection_, *connection_->variants, &VariantStub::CancelJob, request);
  if (!job.ok()) return job.status();
  return fourfold::client::FromProto(*job);
}

absl::StatusOr<std::vector<ModelSummary>> Client::List() {
  auto response = Call<v1::ListModelsResponse>(*connection_, *connection_->variants,
                                               &VariantStub::ListModels, v1::ListModelsRequest());
  if (!response.ok()) return response.status();
  std::vector<ModelSummary> models;
  for (const v1::ModelSummary& model : response->models()) {
    models.push_back(fourfold::client::FromProto(model));
  }
  return models;
}

absl::StatusOr<ModelDescription> Client::Describe(const std::string& model, int64_t version) {
  v1::DescribeModelRequest request;
  request.set_model(model);
  request.set_version(version);
  auto response = Call<v1::DescribeModelResponse>(*connection_, *connection_->variants,
                                                  &VariantStub::DescribeModel, request);
  if (!response.ok()) return response.status();
  return fourfold::client::FromProto(*response);
}

absl::StatusOr<Comparison> Client::Compare(const std::string& model, int64_t version) {
  v1::CompareVariantsRequest request;
  request.set_model(model);
  request.set_version(version);
  auto response = Call<v1::Comparison>(*connection_, *connection_->variants,
                                       &VariantStub::CompareVariants, request);
  if (!response.ok()) return response.status();
  return fourfold::client::FromProto(*response);
}

absl::StatusOr<std::vector<int64_t>> Client::Delete(const std::string& model, int64_t version) {
  v1::DeleteModelRequest request;
  request.set_model(model);
  request.set_version(version);
  auto response = Call<v1::DeleteModelResponse>(*connection_, *connection_->variants,
                                                &VariantStub::DeleteModel, request);
  if (!response.ok()) return response.status();
  return std::vector<int64_t>(response->versions().begin(), response->versions().end());
}

}  // namespace fourfold::client
