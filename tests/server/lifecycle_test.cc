#include <gmock/gmock.h>
#include <grpcpp/generic/generic_stub.h>

#include "tests/server/server_fixture.h"

namespace fourfold {
namespace {

class LifecycleTest : public testing::ServerFixture {
 protected:
  // The status number of grpc.health.v1 for a service: 1 serving, 2 not; the gRPC code if it fails.
  // The messages are written by hand (one field each): Debian ships no header for them.
  std::pair<grpc::StatusCode, int> Health(const std::string& service) {
    grpc::GenericStub stub(channel());
    grpc::ClientContext context;
    std::string bytes;
    if (!service.empty()) bytes = std::string("\x0a") + static_cast<char>(service.size()) + service;
    const grpc::Slice slice(bytes);
    const grpc::ByteBuffer request(&slice, 1);
    grpc::ByteBuffer response;
    grpc::CompletionQueue queue;
    const auto call =
        stub.PrepareUnaryCall(&context, "/grpc.health.v1.Health/Check", request, &queue);
    call->StartCall();
    grpc::Status status;
    call->Finish(&response, &status, this);
    void* tag = nullptr;
    bool ok = false;
    queue.Next(&tag, &ok);
    if (!status.ok()) return {status.error_code(), 0};
    grpc::Slice answer;
    EXPECT_TRUE(response.TrySingleSlice(&answer).ok());
    return {grpc::StatusCode::OK, answer.size() == 2 ? *(answer.begin() + 1) : 0};
  }
};

TEST_F(LifecycleTest, ServesTheSameModelsAfterARestart) {
  Start();
  ASSERT_EQ(Publish("m").state(), fourfold::v1::JOB_STATE_DONE);
  inference::ModelInferResponse before;
  ASSERT_TRUE(Infer(Request("m", {1, 2}), &before).ok());
  Stop();
  Start();
  inference::ModelInferResponse after;
  ASSERT_TRUE(Infer(Request("m", {1, 2}), &after).ok());
  EXPECT_EQ(after.raw_output_contents(0), before.raw_output_contents(0));
}

TEST_F(LifecycleTest, LeavesOutAModelThatCannotBeLoaded) {
  Start();
  Publish("m");
  Publish("n");
  Stop();
  store_.Write("m/1/int8.onnx", "damaged");
  Start();
  inference::ModelInferResponse response;
  EXPECT_EQ(Infer(Request("m", {1, 2}), &response).error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_TRUE(Infer(Request("n", {1, 2}), &response).ok());
}

TEST_F(LifecycleTest, HealthKnowsServerModelsAndVariants) {
  Start();
  Publish("m");
  using Answer = std::pair<grpc::StatusCode, int>;
  EXPECT_EQ(Health(""), Answer(grpc::StatusCode::OK, 1));
  EXPECT_EQ(Health("m"), Answer(grpc::StatusCode::OK, 1));
  EXPECT_EQ(Health("m@int8"), Answer(grpc::StatusCode::OK, 1));
  EXPECT_EQ(Health("n").first, grpc::StatusCode::NOT_FOUND);
  grpc::ClientContext context;
  fourfold::v1::DeleteModelRequest request;
  request.set_model("m");
  fourfold::v1::DeleteModelResponse response;
  ASSERT_TRUE(variants_->DeleteModel(&context, request, &response).ok());
  EXPECT_EQ(Health("m@int8"), Answer(grpc::StatusCode::OK, 2));
}

TEST_F(LifecycleTest, RefusesMessagesOverTheLimit) {
  options_.message_bytes_max = 1000;
  Start();
  inference::ModelInferResponse response;
  EXPECT_EQ(Infer(Request("m", std::vector<float>(1000)), &response).error_code(),
            grpc::StatusCode::RESOURCE_EXHAUSTED);
}

TEST_F(LifecycleTest, ShutdownEndsJobsAndTheirWatchers) {
  Start();
  fourfold::v1::UploadResponse upload;
  ASSERT_TRUE(Upload(UploadMessages("slow"), &upload).ok());
  grpc::ClientContext context;
  fourfold::v1::WatchJobRequest request;
  request.set_job_id(upload.job_id());
  const auto reader = variants_->WatchJob(&context, request);
  fourfold::v1::JobEvent event;
  ASSERT_TRUE(reader->Read(&event));
  server_->Shutdown();
  while (reader->Read(&event)) {
  }
  EXPECT_EQ(event.state(), fourfold::v1::JOB_STATE_CANCELLED);
  EXPECT_THAT(store_.Files(), ::testing::IsEmpty());
}

TEST_F(LifecycleTest, SaysWhichOptionIsWrong) {
  const auto start = [this](auto change) {
    ServerOptions options = options_;
    change(options);
    return Server::Start(options).status();
  };
  EXPECT_EQ(start([](ServerOptions& o) { o.model_store = ""; }).code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(start([](ServerOptions& o) { o.threads = -1; }).code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(start([](ServerOptions& o) { o.queue_max = 0; }).code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(start([](ServerOptions& o) { o.stream_requests_max = 0; }).code(),
            absl::StatusCode::kInvalidArgument);
  for (absl::Duration ServerOptions::*time :
       {&ServerOptions::drain_delay, &ServerOptions::grace_period, &ServerOptions::job_time_max,
        &ServerOptions::batch_delay_max}) {
    EXPECT_EQ(start([time](ServerOptions& o) { o.*time = absl::InfiniteDuration(); }).code(),
              absl::StatusCode::kInvalidArgument)
        << "a server that never ends";
  }
  EXPECT_EQ(start([](ServerOptions& o) { o.cpu_features = "abacus"; }).code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(start([](ServerOptions& o) { o.grpc_listen = "nowhere"; }).code(),
            absl::StatusCode::kInvalidArgument);
}

TEST_F(LifecycleTest, SaysWhenAPortIsTaken) {
  Start();
  ServerOptions second = options_;
  const testing::TemporaryDirectory store;
  second.model_store = store.path();
  second.grpc_listen = server_->addresses().grpc;
  EXPECT_EQ(Server::Start(second).status().code(), absl::StatusCode::kUnavailable);
}

}  // namespace
}  // namespace fourfold
