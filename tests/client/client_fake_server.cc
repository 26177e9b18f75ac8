#include "tests/client/client_fake_server.h"

#include <algorithm>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "grpcpp/grpcpp.h"
#include "proto/fourfold/v1/variants.grpc.pb.h"
#include "proto/inference/grpc_predict_v2.grpc.pb.h"

namespace fourfold::client {
namespace {

using grpc::ServerContext;
using grpc::Status;
using grpc::StatusCode;

ReceivedBatch Receive(const v1::SampleBatch& batch) {
  ReceivedBatch received;
  for (const v1::SampleTensor& tensor : batch.tensors()) {
    received.names.push_back(tensor.name());
    received.datatypes.push_back(tensor.datatype());
    received.shapes.emplace_back(tensor.shape().begin(), tensor.shape().end());
    received.raw.push_back(tensor.raw());
  }
  received.labels = {batch.labels().begin(), batch.labels().end()};
  return received;
}

Status NotFound(const std::string& name) {
  return {StatusCode::NOT_FOUND, absl::StrCat("no \"", name, "\"")};
}

}  // namespace

struct FakeServer::Services {
  class Variants final : public v1::VariantService::Service {
   public:
    explicit Variants(FakeBehaviour behaviour) : behaviour_(std::move(behaviour)) {}

    Status Upload(ServerContext* context, grpc::ServerReader<v1::UploadRequest>* reader,
                  v1::UploadResponse* response) override {
      ReceivedUpload upload;
      Status status;
      v1::UploadRequest request;
      while (status.ok() && reader->Read(&request)) {
        if (request.has_header()) {
          const v1::UploadHeader& header = request.header();
          upload.model = header.model();
          upload.variants = {header.variants().begin(), header.variants().end()};
          upload.promised_model_bytes = header.model_bytes();
          upload.promised_calibration = header.calibration_samples();
          upload.promised_evaluation = header.evaluation_samples();
          upload.promised_external_bytes = header.external_bytes();
        } else if (request.has_external_data()) {
          const v1::ExternalDataChunk& chunk = request.external_data();
          if (!chunk.location().empty()) {
            upload.external.push_back({chunk.location(), chunk.file_bytes(), ""});
          }
          if (!upload.external.empty()) upload.external.back().bytes += chunk.data();
          upload.largest_chunk = std::max(upload.largest_chunk, chunk.data().size());
        } else if (request.has_samples()) {
          upload.calibration.push_back(Receive(request.samples()));
        } else if (request.has_evaluation()) {
          upload.evaluation.push_back(Receive(request.evaluation()));
        } else {
          upload.model_bytes += request.model_chunk();
          upload.largest_chunk = std::max(upload.largest_chunk, request.model_chunk().size());
          if (upload.model_bytes.size() > behaviour_.refuse_upload_after_bytes.value_or(SIZE_MAX)) {
            status = Status(StatusCode::RESOURCE_EXHAUSTED, "too large");
          }
        }
      }
      upload.cancelled = context->IsCancelled();
      response->set_job_id("job-1");
      response->set_model(upload.model);
      response->set_version(2);
      const absl::MutexLock lock(&mutex_);
      upload_ = std::move(upload);
      return status;
    }

    Status WatchJob(ServerContext*, const v1::WatchJobRequest* request,
                    grpc::ServerWriter<v1::JobEvent>* writer) override {
      if (request->job_id() != "job-1") return NotFound(request->job_id());
      for (const FakeEvent& event : behaviour_.events) {
        v1::JobEvent proto;
        proto.set_stage(event.stage);
        proto.set_percent(event.percent);
        proto.set_message(event.message);
        proto.set_state(static_cast<v1::JobState>(event.state));
        writer->Write(proto);
      }
      return Status::OK;
    }

    Status GetJob(ServerContext*, const v1::GetJobRequest* request, v1::Job* job) override {
      if (request->job_id() != "job-1") return NotFound(request->job_id());
      FillJob(job);
      return Status::OK;
    }

    Status ListJobs(ServerContext*, const v1::ListJobsRequest* request,
                    v1::ListJobsResponse* response) override {
      if (request->model().empty() || request->model() == "digits") FillJob(response->add_jobs());
      return Status::OK;
    }

    Status CancelJob(ServerContext*, const v1::CancelJobRequest* request, v1::Job* job) override {
      if (request->job_id() != "job-1") return NotFound(request->job_id());
      FillJob(job);
      job->set_state(v1::JOB_STATE_CANCELLED);
      return Status::OK;
    }

    Status ListModels(ServerContext*, const v1::ListModelsRequest*,
                      v1::ListModelsResponse* response) override {
      v1::ModelSummary* model = response->add_models();
      model->set_model("digits");
      model->set_version(2);
      model->add_versions(1);
      model->add_versions(2);
      model->set_default_variant("int8");
      model->add_variants("fp32");
      model->add_variants("int8");
      return Status::OK;
    }

    Status DescribeModel(ServerContext*, const v1::DescribeModelRequest* request,
                         v1::DescribeModelResponse* response) override {
      if (request->model() != "digits") return NotFound(request->model());
      response->set_model("digits");
      response->set_version(request->version() == 0 ? 2 : request->version());
      response->add_versions(2);
      response->set_default_variant("int8");
      v1::TensorDescription* input = response->add_inputs();
      input->set_name("x");
      input->set_datatype("FP32");
      input->add_shape(-1);
      input->add_shape(64);
      v1::VariantFile* file = response->add_variants();
      file->set_variant("int8");
      file->set_file("int8.onnx");
      file->set_file_bytes(1200);
      return Status::OK;
    }

    Status CompareVariants(ServerContext*, const v1::CompareVariantsRequest* request,
                           v1::Comparison* comparison) override {
      if (request->model() != "digits") return NotFound(request->model());
      comparison->set_model("digits");
      comparison->set_version(request->version() == 0 ? 2 : request->version());
      comparison->mutable_cpu()->set_isa("avx2");
      comparison->mutable_cpu()->set_threads(1);
      v1::VariantReport* fp32 = comparison->add_variants();
      fp32->set_variant("fp32");
      fp32->mutable_latency()->set_p50_ms(2);
      v1::VariantReport* int8 = comparison->add_variants();
      int8->set_variant("int8");
      int8->set_is_default(true);
      int8->mutable_size()->set_file_bytes(1200);
      int8->mutable_accuracy()->mutable_labelled()->set_top1(0.75);
      int8->mutable_accuracy()->mutable_fidelity()->set_sqnr_db(31.5);
      (*int8->mutable_executed()->mutable_kernels())["conv"] = "reference";
      int8->mutable_versus_fp32()->set_speedup(4);
      return Status::OK;
    }

    Status DownloadVariant(ServerContext*, const v1::DownloadVariantRequest* request,
                           grpc::ServerWriter<v1::DownloadVariantResponse>* writer) override {
      if (request->model() != "digits") return NotFound(request->model());
      v1::DownloadVariantResponse response;
      v1::DownloadHeader* header = response.mutable_header();
      header->set_model("digits");
      header->set_version(2);
      header->set_variant(request->variant().empty() ? "int8" : request->variant());
      header->set_file_bytes(behaviour_.download_file_bytes);
      header->set_sha256(behaviour_.download_sha256);
      writer->Write(response);
      const std::string& bytes = behaviour_.download_bytes;
      for (size_t at = 0; at < bytes.size(); at += 5) {
        response.set_chunk(bytes.substr(at, 5));
        writer->Write(response);
      }
      if (!behaviour_.download_location.empty()) {
        v1::DownloadHeader* second = response.mutable_header();
        second->set_location(behaviour_.download_location);
        second->set_file_bytes(3);
        second->set_sha256("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        writer->Write(response);
        response.set_chunk("abc");
        writer->Write(response);
      }
      return Status::OK;
    }

    Status DeleteModel(ServerContext*, const v1::DeleteModelRequest* request,
                       v1::DeleteModelResponse* response) override {
      if (request->model() != "digits") return NotFound(request->model());
      if (request->version() == 0) response->add_versions(1);
      response->add_versions(2);
      return Status::OK;
    }

    ReceivedUpload upload() {
      const absl::MutexLock lock(&mutex_);
      mutex_.Await(absl::Condition(
          +[](std::optional<ReceivedUpload>* upload) { return upload->has_value(); }, &upload_));
      return *upload_;
    }

   private:
    static void FillJob(v1::Job* job) {
      job->set_job_id("job-1");
      job->set_model("digits");
      job->set_version(2);
      job->set_state(v1::JOB_STATE_RUNNING);
      job->set_stage("calibrate");
      job->set_percent(40);
    }

    const FakeBehaviour behaviour_;

    absl::Mutex mutex_;
    std::optional<ReceivedUpload> upload_ ABSL_GUARDED_BY(mutex_);
  };

  class Inference final : public inference::GRPCInferenceService::Service {
   public:
    explicit Inference(FakeBehaviour behaviour) : behaviour_(std::move(behaviour)) {}

    Status ServerLive(ServerContext*, const inference::ServerLiveRequest*,
                      inference::ServerLiveResponse* response) override {
      response->set_live(true);
      return Status::OK;
    }

    Status ServerReady(ServerContext*, const inference::ServerReadyRequest*,
                       inference::ServerReadyResponse* response) override {
      response->set_ready(behaviour_.ready);
      return Status::OK;
    }

    Status ServerMetadata(ServerContext*, const inference::ServerMetadataRequest*,
                          inference::ServerMetadataResponse* response) override {
      response->set_name("fourfold");
      response->set_version("0.1.0");
      return Status::OK;
    }

    Status ModelMetadata(ServerContext*, const inference::ModelMetadataRequest* request,
                         inference::ModelMetadataResponse* response) override {
      if (request->name() != "digits") return NotFound(request->name());
      for (const std::string& input : behaviour_.inputs) response->add_inputs()->set_name(input);
      return Status::OK;
    }

    Status ModelInfer(ServerContext* context, const inference::ModelInferRequest* request,
                      inference::ModelInferResponse* response) override {
      for (int ms = 0; ms < behaviour_.infer_delay_ms && !context->IsCancelled(); ++ms) {
        absl::SleepFor(absl::Milliseconds(1));
      }
      if (request->model_name().rfind("digits", 0) != 0) return NotFound(request->model_name());
      response->set_model_name(request->model_name());
      response->set_model_version("2");
      response->set_id(request->id());
      (*response->mutable_parameters())["variant"].set_string_param("int8");
      auto* output = response->add_outputs();
      output->set_name("y");
      output->set_datatype(request->inputs(0).datatype());
      *output->mutable_shape() = request->inputs(0).shape();
      response->add_raw_output_contents(request->raw_input_contents(0));
      return Status::OK;
    }

   private:
    const FakeBehaviour behaviour_;
  };

  explicit Services(const FakeBehaviour& behaviour) : variants(behaviour), inference(behaviour) {}

  Variants variants;
  Inference inference;
  std::unique_ptr<grpc::Server> server;
};

FakeServer::FakeServer(FakeBehaviour behaviour) : services_(std::make_unique<Services>(behaviour)) {
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(&services_->variants);
  builder.RegisterService(&services_->inference);
  services_->server = builder.BuildAndStart();
  address_ = absl::StrCat("127.0.0.1:", port);
}

FakeServer::~FakeServer() { services_->server->Shutdown(); }

ReceivedUpload FakeServer::upload() { return services_->variants.upload(); }

}  // namespace fourfold::client
