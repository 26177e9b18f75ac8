#include "tests/server/server_fixture.h"

#include <sys/stat.h>

#include <chrono>

#include "tests/testing/small_model.h"

namespace fourfold::testing {

ServerFixture::ServerFixture() {
  good_.Write("made/fp32.onnx", AddModel(1));
  good_.Write("made/int8.onnx", AddModel(2));
  good_.Write("made/report.json", report::ToJson(ReportOf({"fp32", "int8"})));
  const std::string script =
      good_.Write("quantizer",
                  "#!/bin/sh\n"
                  "for arg in \"$@\"; do case $arg in --out=*) out=${arg#--out=};; --name=*) "
                  "name=${arg#--name=};; esac; done\n"
                  "echo '{\"stage\": \"calibrate\", \"percent\": 50, \"message\": \"half\"}' >&3\n"
                  "if [ $name = slow ]; then sleep 1000; fi\n"
                  "if [ $name = bad ]; then\n"
                  "  echo '{\"error\": {\"code\": \"INVALID_ARGUMENT\", \"message\": \"not an ONNX "
                  "file\"}}' >&3\n"
                  "  exit 1\n"
                  "fi\n"
                  "cp " +
                      good_.path() + "/made/* $out\n");
  chmod(script.c_str(), 0755);
  options_.model_store = store_.path();
  options_.grpc_listen = options_.http_listen = options_.metrics_listen = "127.0.0.1:0";
  options_.threads = 1;
  options_.quantizer = script;
  options_.cpu_features = "reference";
}

void ServerFixture::Start() {
  auto server = Server::Start(options_);
  ASSERT_TRUE(server.ok()) << server.status();
  server_ = *std::move(server);
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  channel_ = grpc::CreateCustomChannel(server_->addresses().grpc,
                                       grpc::InsecureChannelCredentials(), arguments);
  inference_ = inference::GRPCInferenceService::NewStub(channel_);
  variants_ = fourfold::v1::VariantService::NewStub(channel_);
}

std::vector<fourfold::v1::UploadRequest> ServerFixture::UploadMessages(const std::string& model) {
  std::vector<fourfold::v1::UploadRequest> messages(4);
  messages[0].mutable_header()->set_model(model);
  messages[1].set_model_chunk("the bytes of a model");
  for (auto* batch : {messages[2].mutable_samples(), messages[3].mutable_evaluation()}) {
    auto& tensor = *batch->add_tensors();
    tensor.set_name("x");
    tensor.set_datatype("FP32");
    tensor.add_shape(2);
    tensor.add_shape(2);
    tensor.set_raw(std::string(2 * 2 * sizeof(float), '\0'));
  }
  return messages;
}

grpc::Status ServerFixture::Upload(const std::vector<fourfold::v1::UploadRequest>& messages,
                                   fourfold::v1::UploadResponse* response) {
  grpc::ClientContext context;
  const auto writer = variants_->Upload(&context, response);
  for (const auto& message : messages) {
    if (!writer->Write(message)) break;  // answered before the end
  }
  writer->WritesDone();
  return writer->Finish();
}

fourfold::v1::JobEvent ServerFixture::WaitForEnd(const std::string& job_id) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::minutes(2));
  fourfold::v1::WatchJobRequest request;
  request.set_job_id(job_id);
  const auto reader = variants_->WatchJob(&context, request);
  fourfold::v1::JobEvent last;
  for (fourfold::v1::JobEvent event; reader->Read(&event);) last = event;
  EXPECT_TRUE(reader->Finish().ok());
  return last;
}

fourfold::v1::JobEvent ServerFixture::Publish(const std::string& model) {
  fourfold::v1::UploadResponse response;
  const grpc::Status status = Upload(UploadMessages(model), &response);
  EXPECT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(response.model(), model);
  return WaitForEnd(response.job_id());
}

inference::ModelInferRequest ServerFixture::Request(const std::string& model,
                                                    const std::vector<float>& x) {
  inference::ModelInferRequest request;
  request.set_model_name(model);
  request.set_id("id-7");
  auto& input = *request.add_inputs();
  input.set_name("x");
  input.set_datatype("FP32");
  input.add_shape(static_cast<int64_t>(x.size()) / 2);
  input.add_shape(2);
  request.add_raw_input_contents(x.data(), x.size() * sizeof(float));
  return request;
}

grpc::Status ServerFixture::Infer(const inference::ModelInferRequest& request,
                                  inference::ModelInferResponse* response) {
  grpc::ClientContext context;
  return inference_->ModelInfer(&context, request, response);
}

}  // namespace fourfold::testing
