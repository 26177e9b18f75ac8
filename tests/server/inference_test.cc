#include <gmock/gmock.h>

#include <chrono>
#include <cstring>

#include "tests/server/server_fixture.h"

namespace fourfold {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class InferenceTest : public testing::ServerFixture {
 protected:
  void SetUp() override {
    Start();
    ASSERT_EQ(Publish("m").state(), fourfold::v1::JOB_STATE_DONE);
  }

  static std::vector<float> Floats(const std::string& bytes) {
    std::vector<float> floats(bytes.size() / sizeof(float));
    std::memcpy(floats.data(), bytes.data(), bytes.size());
    return floats;
  }
};

TEST_F(InferenceTest, AnswersWithTheDefaultVariantAndSaysSo) {
  inference::ModelInferResponse response;
  const grpc::Status status = Infer(Request("m", {1, 2, 3, 4}), &response);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(response.model_name(), "m");
  EXPECT_EQ(response.model_version(), "1");
  EXPECT_EQ(response.id(), "id-7");
  EXPECT_EQ(response.parameters().at("variant").string_param(), "int8");
  ASSERT_EQ(response.outputs_size(), 1);
  EXPECT_EQ(response.outputs(0).name(), "y");
  EXPECT_EQ(response.outputs(0).datatype(), "FP32");
  EXPECT_THAT(response.outputs(0).shape(), ElementsAre(2, 2));
  ASSERT_EQ(response.raw_output_contents_size(), 1);
  EXPECT_THAT(Floats(response.raw_output_contents(0)), ElementsAre(3, 4, 5, 6));
}

TEST_F(InferenceTest, ChoosesByNameAndByParameter) {
  inference::ModelInferResponse by_name;
  ASSERT_TRUE(Infer(Request("m@fp32", {1, 2}), &by_name).ok());
  EXPECT_THAT(Floats(by_name.raw_output_contents(0)), ElementsAre(2, 3));

  inference::ModelInferRequest request = Request("m", {1, 2});
  (*request.mutable_parameters())["variant"].set_string_param("fp32");
  inference::ModelInferResponse by_parameter;
  ASSERT_TRUE(Infer(request, &by_parameter).ok());
  EXPECT_THAT(Floats(by_parameter.raw_output_contents(0)), ElementsAre(2, 3));

  request.set_model_name("m@int8");
  inference::ModelInferResponse none;
  EXPECT_EQ(Infer(request, &none).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(InferenceTest, AnswersTypedContentsRaw) {
  inference::ModelInferRequest request = Request("m", {1, 2});
  request.clear_raw_input_contents();
  request.mutable_inputs(0)->mutable_contents()->add_fp32_contents(1);
  request.mutable_inputs(0)->mutable_contents()->add_fp32_contents(2);
  inference::ModelInferResponse response;
  ASSERT_TRUE(Infer(request, &response).ok());
  EXPECT_THAT(Floats(response.raw_output_contents(0)), ElementsAre(3, 4));
}

TEST_F(InferenceTest, SaysWhatIsWrongWithACall) {
  inference::ModelInferResponse response;
  EXPECT_EQ(Infer(Request("none", {1, 2}), &response).error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(Infer(Request("m@fp64", {1, 2}), &response).error_code(), grpc::StatusCode::NOT_FOUND);
  inference::ModelInferRequest request = Request("m", {1, 2});
  request.set_model_version("2");
  EXPECT_EQ(Infer(request, &response).error_code(), grpc::StatusCode::NOT_FOUND);
  request = Request("m", {1, 2});
  request.mutable_inputs(0)->set_shape(0, 7);
  const grpc::Status status = Infer(request, &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(), HasSubstr("got 8 raw bytes, wanted 56"));
}

TEST_F(InferenceTest, ADeadlineThatHasPassedIsSaid) {
  inference::ModelInferResponse response;
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() - std::chrono::seconds(1));
  EXPECT_EQ(inference_->ModelInfer(&context, Request("m", {1, 2}), &response).error_code(),
            grpc::StatusCode::DEADLINE_EXCEEDED);
}

TEST_F(InferenceTest, DescribesServerAndModel) {
  {
    grpc::ClientContext context;
    inference::ServerLiveResponse response;
    ASSERT_TRUE(inference_->ServerLive(&context, {}, &response).ok());
    EXPECT_TRUE(response.live());
  }
  {
    grpc::ClientContext context;
    inference::ServerReadyResponse response;
    ASSERT_TRUE(inference_->ServerReady(&context, {}, &response).ok());
    EXPECT_TRUE(response.ready());
  }
  {
    grpc::ClientContext context;
    inference::ServerMetadataResponse response;
    ASSERT_TRUE(inference_->ServerMetadata(&context, {}, &response).ok());
    EXPECT_EQ(response.name(), "fourfold");
  }
  for (const auto& [name, ready] :
       {std::pair("m", true), {"m@int8", true}, {"m@x", false}, {"n", false}}) {
    grpc::ClientContext context;
    inference::ModelReadyRequest request;
    request.set_name(name);
    inference::ModelReadyResponse response;
    ASSERT_TRUE(inference_->ModelReady(&context, request, &response).ok());
    EXPECT_EQ(response.ready(), ready) << name;
  }
  grpc::ClientContext context;
  inference::ModelMetadataRequest request;
  request.set_name("m");
  inference::ModelMetadataResponse response;
  ASSERT_TRUE(inference_->ModelMetadata(&context, request, &response).ok());
  EXPECT_THAT(response.versions(), ElementsAre("1"));
  ASSERT_EQ(response.inputs_size(), 1);
  EXPECT_EQ(response.inputs(0).name(), "x");
  EXPECT_EQ(response.inputs(0).datatype(), "FP32");
  EXPECT_THAT(response.inputs(0).shape(), ElementsAre(-1, 2));
}

TEST_F(InferenceTest, TritonsExtensionsAnswerUnimplementedWithWords) {
  grpc::ClientContext context;
  inference::TraceSettingResponse response;
  const grpc::Status status = inference_->TraceSetting(&context, {}, &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNIMPLEMENTED);
  EXPECT_THAT(status.error_message(), HasSubstr("TraceSetting is not implemented"));
}

TEST_F(InferenceTest, DescribesTheConfigurationAsTritonsClientsExpectIt) {
  grpc::ClientContext context;
  inference::ModelConfigRequest request;
  request.set_name("m@fp32");
  inference::ModelConfigResponse response;
  ASSERT_TRUE(inference_->ModelConfig(&context, request, &response).ok());
  const inference::ModelConfig& config = response.config();
  EXPECT_EQ(config.name(), "m@fp32");
  EXPECT_EQ(config.max_batch_size(), 32);
  ASSERT_EQ(config.input_size(), 1);
  EXPECT_EQ(config.input(0).name(), "x");
  EXPECT_EQ(config.input(0).data_type(), inference::TYPE_FP32);
  EXPECT_THAT(config.input(0).dims(), ElementsAre(2)) << "without the batch";
  EXPECT_THAT(config.output(0).dims(), ElementsAre(2));
  EXPECT_EQ(config.dynamic_batching().default_queue_policy().max_queue_size(), 256u);
  EXPECT_FALSE(config.model_transaction_policy().decoupled());

  grpc::ClientContext unknown;
  request.set_name("none");
  EXPECT_EQ(inference_->ModelConfig(&unknown, request, &response).error_code(),
            grpc::StatusCode::NOT_FOUND);
}

TEST_F(InferenceTest, CountsTheStatisticsOfModelAndVariant) {
  inference::ModelInferResponse answer;
  ASSERT_TRUE(Infer(Request("m@fp32", {1, 2, 3, 4}), &answer).ok());  // two samples
  ASSERT_TRUE(Infer(Request("m@fp32", {1, 2}), &answer).ok());
  ASSERT_TRUE(Infer(Request("m", {1, 2}), &answer).ok());  // int8
  inference::ModelInferRequest bad = Request("m@fp32", {1, 2});
  bad.mutable_inputs(0)->set_shape(0, 7);
  EXPECT_FALSE(Infer(bad, &answer).ok());

  const auto statistics = [&](const std::string& name) {
    grpc::ClientContext context;
    inference::ModelStatisticsRequest request;
    request.set_name(name);
    inference::ModelStatisticsResponse response;
    EXPECT_TRUE(inference_->ModelStatistics(&context, request, &response).ok());
    EXPECT_EQ(response.model_stats_size(), 1);
    return response.model_stats(0);
  };
  const inference::ModelStatistics fp32 = statistics("m@fp32");
  EXPECT_EQ(fp32.version(), "1");
  EXPECT_EQ(fp32.inference_count(), 3u);
  EXPECT_EQ(fp32.execution_count(), 2u);
  EXPECT_GT(fp32.last_inference(), 1'600'000'000'000u);
  const inference::InferStatistics& times = fp32.inference_stats();
  EXPECT_EQ(times.success().count(), 2u);
  EXPECT_EQ(times.fail().count(), 1u);
  EXPECT_EQ(times.queue().count(), 2u);
  EXPECT_EQ(times.compute_input().count(), 2u);
  EXPECT_EQ(times.compute_infer().count(), 2u);
  EXPECT_EQ(times.compute_output().count(), 2u);
  EXPECT_GE(times.success().ns(), times.queue().ns() + times.compute_infer().ns());
  ASSERT_EQ(fp32.batch_stats_size(), 2);
  EXPECT_EQ(fp32.batch_stats(0).batch_size(), 1u);
  EXPECT_EQ(fp32.batch_stats(1).batch_size(), 2u);
  EXPECT_EQ(fp32.batch_stats(1).compute_infer().count(), 1u);
  EXPECT_EQ(statistics("m").inference_count(), 4u) << "all variants together";
  EXPECT_EQ(statistics("").name(), "m");

  grpc::ClientContext unknown;
  inference::ModelStatisticsRequest request;
  request.set_name("none");
  inference::ModelStatisticsResponse response;
  EXPECT_EQ(inference_->ModelStatistics(&unknown, request, &response).error_code(),
            grpc::StatusCode::NOT_FOUND);
}

TEST_F(InferenceTest, IndexesEveryAddress) {
  grpc::ClientContext context;
  inference::RepositoryIndexResponse response;
  ASSERT_TRUE(
      inference_->RepositoryIndex(&context, inference::RepositoryIndexRequest(), &response).ok());
  std::vector<std::string> names;
  for (const auto& entry : response.models()) {
    names.push_back(entry.name());
    EXPECT_EQ(entry.version(), "1");
    EXPECT_EQ(entry.state(), "READY");
  }
  EXPECT_THAT(names, ::testing::UnorderedElementsAre("m", "m@fp32", "m@int8"));
}

}  // namespace
}  // namespace fourfold
