#include <atomic>
#include <future>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "client/client.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/client/client_fake_server.h"

namespace fourfold::client {
namespace {

InferRequest Request(const std::string& model, const std::string& bytes) {
  return {.model = model,
          .id = "7",
          .inputs = {{"x", "FP32", {1, static_cast<int64_t>(bytes.size() / 4)}, bytes}}};
}

std::future<absl::StatusOr<EncodedResponse>> Start(Client& client, const EncodedRequest& request,
                                                   absl::Duration timeout = absl::Seconds(30)) {
  auto promise = std::make_shared<std::promise<absl::StatusOr<EncodedResponse>>>();
  client.InferAsync(request, timeout, [promise](absl::StatusOr<EncodedResponse> response) {
    promise->set_value(std::move(response));
  });
  return promise->get_future();
}

TEST(InferAsyncTest, AnswersAsInferDoes) {
  FakeServer server({});
  Client client({.address = server.address()});
  const InferRequest request = Request("digits@int8", "abcdefgh");
  const auto wanted = client.Infer(request);
  ASSERT_TRUE(wanted.ok()) << wanted.status();

  const auto response = Start(client, EncodedRequest(request)).get();
  ASSERT_TRUE(response.ok()) << response.status();
  const auto decoded = response->Decode();
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_EQ(decoded->model, wanted->model);
  EXPECT_EQ(decoded->version, wanted->version);
  EXPECT_EQ(decoded->variant, wanted->variant);
  EXPECT_EQ(decoded->id, "7");
  ASSERT_EQ(decoded->outputs.size(), 1u);
  EXPECT_EQ(decoded->outputs[0].bytes, "abcdefgh");
  EXPECT_EQ(decoded->outputs[0].shape, wanted->outputs[0].shape);
  // An answer can be decoded again.
  EXPECT_EQ(response->Decode()->outputs[0].bytes, "abcdefgh");
}

TEST(InferAsyncTest, SendsOneEncodedRequestManyTimesThroughSeveralClients) {
  FakeServer server({.infer_delay_ms = 2});
  Client shared({.address = server.address()});
  Client own({.address = server.address(), .own_connection = true});
  const EncodedRequest request(Request("digits", "abcd"));
  std::vector<std::future<absl::StatusOr<EncodedResponse>>> answers;
  for (int i = 0; i < 50; ++i) answers.push_back(Start(i % 2 == 0 ? shared : own, request));
  for (auto& answer : answers) {
    const auto response = answer.get();
    ASSERT_TRUE(response.ok()) << response.status();
    EXPECT_EQ(response->Decode()->outputs[0].bytes, "abcd");
  }
}

TEST(InferAsyncTest, TheSameInputsGoToAnotherModel) {
  FakeServer server({});
  Client client({.address = server.address()});
  const EncodedRequest request(Request("digits@fp32", "abcd"));
  const auto response = Start(client, request.ForModel("digits@int8")).get();
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->Decode()->model, "digits@int8");
  EXPECT_EQ(response->Decode()->outputs[0].bytes, "abcd");
  EXPECT_EQ(request.bytes(), request.ForModel("digits@int8").bytes());
}

TEST(InferAsyncTest, ErrorsAreTheServersStatus) {
  FakeServer server({});
  Client client({.address = server.address()});
  const auto response = Start(client, EncodedRequest(Request("nothing", "abcd"))).get();
  EXPECT_EQ(response.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(response.status().message()), testing::HasSubstr("nothing"));
}

TEST(InferAsyncTest, EndsAtItsDeadline) {
  FakeServer server({.infer_delay_ms = 20000});
  Client client({.address = server.address()});
  const auto response =
      Start(client, EncodedRequest(Request("digits", "abcd")), absl::Milliseconds(50)).get();
  EXPECT_EQ(response.status().code(), absl::StatusCode::kDeadlineExceeded);
}

TEST(InferAsyncTest, WithoutAServerItIsUnavailable) {
  Client client({.address = "127.0.0.1:1"});
  const auto response = Start(client, EncodedRequest(Request("digits", "abcd"))).get();
  EXPECT_EQ(response.status().code(), absl::StatusCode::kUnavailable);
}

TEST(InferAsyncTest, CallsInFlightAreCancelledAndToldWhenTheClientGoes) {
  FakeServer server({.infer_delay_ms = 20000});
  std::atomic<int> cancelled = 0;
  {
    Client client({.address = server.address()});
    const EncodedRequest request(Request("digits", "abcd"));
    for (int i = 0; i < 3; ++i) {
      client.InferAsync(request, absl::Seconds(60), [&](absl::StatusOr<EncodedResponse> response) {
        if (response.status().code() == absl::StatusCode::kCancelled) ++cancelled;
      });
    }
  }
  EXPECT_EQ(cancelled, 3);
}

TEST(EncodedResponseTest, DecodesWhatWasEncoded) {
  const InferResponse response{.model = "m",
                               .version = 3,
                               .variant = "fp16",
                               .id = "i",
                               .outputs = {{"y", "FP32", {1, 1}, "abcd"}}};
  const auto decoded = EncodedResponse(response).Decode();
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_EQ(decoded->model, "m");
  EXPECT_EQ(decoded->version, 3);
  EXPECT_EQ(decoded->variant, "fp16");
  EXPECT_EQ(decoded->id, "i");
  ASSERT_EQ(decoded->outputs.size(), 1u);
  EXPECT_EQ(decoded->outputs[0].shape, (std::vector<int64_t>{1, 1}));
}

}  // namespace
}  // namespace fourfold::client
