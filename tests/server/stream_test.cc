#include <gmock/gmock.h>

#include <chrono>
#include <cstring>
#include <map>
#include <thread>

#include "absl/time/clock.h"
#include "tests/server/server_fixture.h"

namespace fourfold {
namespace {

using inference::ModelInferRequest;
using inference::ModelStreamInferResponse;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class StreamTest : public testing::ServerFixture {
 protected:
  using Stream = grpc::ClientReaderWriterInterface<ModelInferRequest, ModelStreamInferResponse>;

  void Serve() {
    Start();
    ASSERT_EQ(Publish("m").state(), fourfold::v1::JOB_STATE_DONE);
  }

  std::unique_ptr<Stream> Open(grpc::ClientContext& context) {
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::minutes(1));
    return inference_->ModelStreamInfer(&context);
  }

  static ModelInferRequest WithId(ModelInferRequest request, const std::string& id) {
    request.set_id(id);
    return request;
  }

  // What is left on the stream, by id.
  static std::map<std::string, ModelStreamInferResponse> ReadAll(Stream& stream) {
    std::map<std::string, ModelStreamInferResponse> answers;
    for (ModelStreamInferResponse answer; stream.Read(&answer);) {
      EXPECT_TRUE(answers.emplace(answer.infer_response().id(), answer).second)
          << "two answers to " << answer.infer_response().id();
    }
    return answers;
  }

  static std::vector<float> Floats(const ModelStreamInferResponse& answer) {
    EXPECT_EQ(answer.error_message(), "");
    EXPECT_EQ(answer.infer_response().raw_output_contents_size(), 1);
    if (answer.infer_response().raw_output_contents_size() != 1) return {};
    const std::string& bytes = answer.infer_response().raw_output_contents(0);
    std::vector<float> floats(bytes.size() / sizeof(float));
    std::memcpy(floats.data(), bytes.data(), bytes.size());
    return floats;
  }

  uint64_t Failures(const std::string& model) {
    grpc::ClientContext context;
    inference::ModelStatisticsRequest request;
    request.set_name(model);
    inference::ModelStatisticsResponse response;
    EXPECT_TRUE(inference_->ModelStatistics(&context, request, &response).ok());
    return response.model_stats(0).inference_stats().fail().count();
  }
};

TEST_F(StreamTest, AnswersEachRequestOnceWithItsId) {
  Serve();
  grpc::ClientContext context;
  const auto stream = Open(context);
  for (int i = 0; i < 20; ++i) {
    const auto x = static_cast<float>(i);
    ModelInferRequest request = Request(i % 2 == 0 ? "m@fp32" : "m@int8", {x, -x});
    (*request.mutable_parameters())["triton_enable_empty_final_response"].set_bool_param(true);
    ASSERT_TRUE(stream->Write(WithId(request, std::to_string(i))));
  }
  stream->WritesDone();
  const auto answers = ReadAll(*stream);
  EXPECT_TRUE(stream->Finish().ok());
  ASSERT_EQ(answers.size(), 20u);
  for (int i = 0; i < 20; ++i) {
    const auto& answer = answers.at(std::to_string(i));
    const auto x = static_cast<float>(i);
    const float added = i % 2 == 0 ? 1 : 2;
    EXPECT_THAT(Floats(answer), ElementsAre(x + added, -x + added));
    EXPECT_TRUE(answer.infer_response().parameters().at("triton_final_response").bool_param());
  }
}

TEST_F(StreamTest, AFailedRequestIsAnsweredAndTheStreamGoesOn) {
  Serve();
  grpc::ClientContext context;
  const auto stream = Open(context);
  ModelInferRequest bad_shape = Request("m", {1, 2});
  bad_shape.mutable_inputs(0)->set_shape(0, 7);
  ASSERT_TRUE(stream->Write(WithId(Request("m@fp32", {1, 2}), "first")));
  ASSERT_TRUE(stream->Write(WithId(Request("none", {1, 2}), "no model")));
  ASSERT_TRUE(stream->Write(WithId(bad_shape, "shape")));
  ASSERT_TRUE(stream->Write(WithId(Request("m@fp32", {3, 4}), "last")));
  stream->WritesDone();
  const auto answers = ReadAll(*stream);
  EXPECT_TRUE(stream->Finish().ok());
  ASSERT_EQ(answers.size(), 4u);
  EXPECT_THAT(Floats(answers.at("first")), ElementsAre(2, 3));
  EXPECT_THAT(answers.at("no model").error_message(), HasSubstr("none"));
  EXPECT_THAT(answers.at("shape").error_message(), HasSubstr("got 8 raw bytes, wanted 56"));
  EXPECT_EQ(answers.at("shape").infer_response().outputs_size(), 0);
  EXPECT_THAT(Floats(answers.at("last")), ElementsAre(4, 5));
}

TEST_F(StreamTest, AStreamWithoutRequestsFinishes) {
  Serve();
  grpc::ClientContext context;
  const auto stream = Open(context);
  stream->WritesDone();
  EXPECT_TRUE(ReadAll(*stream).empty());
  EXPECT_TRUE(stream->Finish().ok());
}

TEST_F(StreamTest, ManyStreamsAtATimeKeepTheirAnswersApart) {
  options_.threads = 2;
  Serve();
  std::vector<std::thread> callers;
  for (int caller = 0; caller < 4; ++caller) {
    callers.emplace_back([&, caller] {
      constexpr int kRequests = 200;  // more than a stream holds at a time
      grpc::ClientContext context;
      const auto stream = Open(context);
      std::thread writer([&] {
        for (int i = 0; i < kRequests; ++i) {
          const auto x = static_cast<float>(1000 * caller + i);
          EXPECT_TRUE(stream->Write(WithId(Request("m@fp32", {x, x}), std::to_string(i))));
        }
        stream->WritesDone();
      });
      const auto answers = ReadAll(*stream);
      writer.join();
      EXPECT_TRUE(stream->Finish().ok());
      EXPECT_EQ(answers.size(), size_t{kRequests});
      for (const auto& [id, answer] : answers) {
        const auto y = static_cast<float>(1000 * caller + std::stoi(id) + 1);
        EXPECT_THAT(Floats(answer), ElementsAre(y, y));
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
}

TEST_F(StreamTest, ARequestsOwnTimeoutEndsThatRequestOnly) {
  options_.batch_delay_max = absl::Milliseconds(50);
  Serve();
  grpc::ClientContext context;
  const auto stream = Open(context);
  ModelInferRequest hasty = Request("m", {1, 2});
  (*hasty.mutable_parameters())["timeout"].set_int64_param(1);  // microseconds
  ASSERT_TRUE(stream->Write(WithId(hasty, "hasty")));
  ASSERT_TRUE(stream->Write(WithId(Request("m@fp32", {1, 2}), "patient")));
  stream->WritesDone();
  const auto answers = ReadAll(*stream);
  EXPECT_TRUE(stream->Finish().ok());
  EXPECT_THAT(answers.at("hasty").error_message(), HasSubstr("deadline"));
  EXPECT_THAT(Floats(answers.at("patient")), ElementsAre(2, 3));
}

// Requests of one model that are held back for company fill its queue of two.
TEST_F(StreamTest, ReadsNoMoreThanItsLimitAhead) {
  options_.batch_delay_max = absl::Milliseconds(20);
  options_.queue_max = 2;
  constexpr int kRequests = 40;
  for (const int limit : {2, 32}) {
    options_.stream_requests_max = limit;
    Stop();
    Start();
    if (limit == 2) {
      ASSERT_EQ(Publish("m").state(), fourfold::v1::JOB_STATE_DONE);
    }
    grpc::ClientContext context;
    const auto stream = Open(context);
    for (int i = 0; i < kRequests; ++i) {
      ASSERT_TRUE(stream->Write(WithId(Request("m", {1, 2}), std::to_string(i))));
    }
    stream->WritesDone();
    const auto answers = ReadAll(*stream);
    EXPECT_TRUE(stream->Finish().ok());
    EXPECT_EQ(answers.size(), static_cast<size_t>(kRequests));
    int refused = 0;
    for (const auto& [id, answer] : answers) {
      if (answer.error_message().empty()) continue;
      EXPECT_THAT(answer.error_message(), HasSubstr("the queue is full"));
      ++refused;
    }
    if (limit == 2) {
      EXPECT_EQ(refused, 0);
    } else {
      EXPECT_GE(refused, 1);
    }
  }
}

TEST_F(StreamTest, CancellingGivesUpWhatWaits) {
  options_.batch_delay_max = absl::Milliseconds(500);
  Serve();
  const uint64_t before = Failures("m");
  grpc::ClientContext context;
  const auto stream = Open(context);
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(stream->Write(Request("m", {1, 2})));
  ASSERT_TRUE(stream->Write(Request("none", {1, 2})));
  ModelStreamInferResponse answer;
  ASSERT_TRUE(stream->Read(&answer));  // so the others have been read
  EXPECT_NE(answer.error_message(), "");
  context.TryCancel();
  EXPECT_FALSE(stream->Read(&answer));
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::CANCELLED);
  const absl::Time until = absl::Now() + absl::Seconds(30);
  while (Failures("m") < before + 3 && absl::Now() < until) std::this_thread::yield();
  EXPECT_EQ(Failures("m"), before + 3);
  inference::ModelInferResponse response;
  EXPECT_TRUE(Infer(Request("m", {1, 2}), &response).ok());
}

TEST_F(StreamTest, ShutdownAnswersWhatWaitsAndEndsIdleStreams) {
  options_.batch_delay_max = absl::Seconds(10);
  Serve();
  grpc::ClientContext idle_context;
  const auto idle = Open(idle_context);
  grpc::ClientContext context;
  const auto stream = Open(context);
  ModelStreamInferResponse answer;
  for (Stream* each : {idle.get(), stream.get()}) {
    if (each == stream.get()) {
      for (int i = 0; i < 3; ++i) {
        ASSERT_TRUE(each->Write(WithId(Request("m@fp32", {1, 2}), std::to_string(i))));
      }
    }
    ASSERT_TRUE(each->Write(Request("none", {1, 2})));
    ASSERT_TRUE(each->Read(&answer));  // it is open, and what came before waits
    EXPECT_NE(answer.error_message(), "");
  }
  const absl::Time start = absl::Now();
  server_->Shutdown();
  EXPECT_LT(absl::Now() - start, absl::Seconds(8)) << "nothing is held back or waited for";
  const auto answers = ReadAll(*stream);
  EXPECT_EQ(answers.size(), 3u);
  for (const auto& [id, each] : answers) EXPECT_THAT(Floats(each), ElementsAre(2, 3));
  for (Stream* each : {idle.get(), stream.get()}) {
    EXPECT_FALSE(each->Read(&answer));
    const grpc::Status status = each->Finish();
    EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE) << status.error_message();
    EXPECT_THAT(status.error_message(), HasSubstr("shutting down"));
  }
}

}  // namespace
}  // namespace fourfold
