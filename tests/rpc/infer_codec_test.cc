#include "server/rpc/infer_codec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <functional>

namespace fourfold::rpc {
namespace {

using graph::DataType;
using inference::ModelInferRequest;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

const std::vector<runtime::TensorInfo> kInputs = {{"x", DataType::kFloat32, {-1, 2}},
                                                  {"k", DataType::kInt8, {3}}};

// x [2,2] and k [3] as raw bytes, k first.
ModelInferRequest RawRequest() {
  ModelInferRequest request;
  auto& k = *request.add_inputs();
  k.set_name("k");
  k.set_datatype("INT8");
  k.add_shape(3);
  auto& x = *request.add_inputs();
  x.set_name("x");
  x.set_datatype("FP32");
  x.add_shape(2);
  x.add_shape(2);
  request.add_raw_input_contents("\x01\x02\xff");
  const float elements[] = {1, 2, 3, 4};
  request.add_raw_input_contents(elements, sizeof(elements));
  return request;
}

template <typename T>
std::vector<T> Elements(std::span<const std::byte> bytes) {
  std::vector<T> elements(bytes.size() / sizeof(T));
  std::memcpy(elements.data(), bytes.data(), bytes.size());
  return elements;
}

// The error of a request, which names what was wrong.
std::string Error(const ModelInferRequest& request) {
  const auto decoded = DecodeInputs(request, kInputs);
  EXPECT_EQ(decoded.status().code(), absl::StatusCode::kInvalidArgument) << decoded.status();
  return std::string(decoded.status().message());
}

TEST(DecodeInputsTest, ViewsRawBytesInTheModelsOrder) {
  const ModelInferRequest request = RawRequest();
  const auto decoded = DecodeInputs(request, kInputs);
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_THAT(decoded->shapes, ElementsAre(graph::Shape{2, 2}, graph::Shape{3}));
  EXPECT_THAT(Elements<float>(decoded->inputs[0]), ElementsAre(1, 2, 3, 4));
  EXPECT_THAT(Elements<int8_t>(decoded->inputs[1]), ElementsAre(1, 2, -1));
  EXPECT_EQ(static_cast<const void*>(decoded->inputs[0].data()),
            request.raw_input_contents(1).data());
}

TEST(DecodeInputsTest, ConvertsTypedContents) {
  ModelInferRequest request = RawRequest();
  request.clear_raw_input_contents();
  for (const int value : {-128, 0, 127})
    request.mutable_inputs(0)->mutable_contents()->add_int_contents(value);
  for (const float value : {1.f, 2.f, 3.f, 4.f})
    request.mutable_inputs(1)->mutable_contents()->add_fp32_contents(value);
  const auto decoded = DecodeInputs(request, kInputs);
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_THAT(Elements<float>(decoded->inputs[0]), ElementsAre(1, 2, 3, 4));
  EXPECT_THAT(Elements<int8_t>(decoded->inputs[1]), ElementsAre(-128, 0, 127));

  request.mutable_inputs(0)->mutable_contents()->set_int_contents(1, 128);
  EXPECT_THAT(Error(request), HasSubstr("input \"k\": element 1 is 128, out of the range of INT8"));
  request.mutable_inputs(0)->mutable_contents()->mutable_int_contents()->RemoveLast();
  EXPECT_THAT(Error(request), HasSubstr("got 2 elements of INT8 in contents, wanted 3"));
}

struct Case {
  DataType type;
  const char* name;
  std::function<void(inference::InferTensorContents&)> add_one;
  size_t bytes;
};

TEST(DecodeInputsTest, KnowsTheFieldOfEachDatatype) {
  const Case cases[] = {
      {DataType::kBool, "BOOL", [](auto& c) { c.add_bool_contents(true); }, 1},
      {DataType::kInt8, "INT8", [](auto& c) { c.add_int_contents(1); }, 1},
      {DataType::kInt16, "INT16", [](auto& c) { c.add_int_contents(1); }, 2},
      {DataType::kInt32, "INT32", [](auto& c) { c.add_int_contents(1); }, 4},
      {DataType::kInt64, "INT64", [](auto& c) { c.add_int64_contents(1); }, 8},
      {DataType::kUint8, "UINT8", [](auto& c) { c.add_uint_contents(1); }, 1},
      {DataType::kUint16, "UINT16", [](auto& c) { c.add_uint_contents(1); }, 2},
      {DataType::kUint32, "UINT32", [](auto& c) { c.add_uint_contents(1); }, 4},
      {DataType::kUint64, "UINT64", [](auto& c) { c.add_uint64_contents(1); }, 8},
      {DataType::kFloat32, "FP32", [](auto& c) { c.add_fp32_contents(1); }, 4},
      {DataType::kFloat64, "FP64", [](auto& c) { c.add_fp64_contents(1); }, 8},
  };
  for (const Case& one : cases) {
    ModelInferRequest request;
    auto& input = *request.add_inputs();
    input.set_name("x");
    input.set_datatype(one.name);
    input.add_shape(1);
    one.add_one(*input.mutable_contents());
    const auto decoded = DecodeInputs(request, {{"x", one.type, {1}}});
    ASSERT_TRUE(decoded.ok()) << one.name << decoded.status();
    EXPECT_EQ(decoded->inputs[0].size(), one.bytes) << one.name;
    input.mutable_contents()->add_bytes_contents("x");
    EXPECT_FALSE(DecodeInputs(request, {{"x", one.type, {1}}}).ok()) << "two fields, " << one.name;
  }
}

TEST(DecodeInputsTest, Float16TravelsRawOnly) {
  ModelInferRequest request;
  auto& input = *request.add_inputs();
  input.set_name("h");
  input.set_datatype("FP16");
  input.add_shape(1);
  const std::vector<runtime::TensorInfo> inputs = {{"h", DataType::kFloat16, {1}}};
  EXPECT_EQ(DecodeInputs(request, inputs).status().code(), absl::StatusCode::kInvalidArgument);
  request.add_raw_input_contents("\x01\x02");
  EXPECT_TRUE(DecodeInputs(request, inputs).ok());
}

TEST(DecodeInputsTest, SaysWhichNameIsWrongMissingOrTwice) {
  ModelInferRequest request = RawRequest();
  request.mutable_inputs(0)->set_name("z");
  EXPECT_THAT(Error(request),
              HasSubstr("input \"z\": the model has no such input, it has \"x\", \"k\""));
  request.mutable_inputs(0)->set_name("x");
  EXPECT_THAT(Error(request), HasSubstr("input \"x\": given twice"));
  request.mutable_inputs()->DeleteSubrange(0, 1);
  EXPECT_THAT(Error(request), HasSubstr("input \"k\": missing, wanted INT8 [3]"));
}

TEST(DecodeInputsTest, SaysWhatTypeShapeAndBytesShouldBe) {
  ModelInferRequest request = RawRequest();
  request.mutable_inputs(1)->set_datatype("INT64");
  EXPECT_THAT(Error(request), HasSubstr("input \"x\": got datatype \"INT64\", wanted FP32"));
  request = RawRequest();
  request.mutable_inputs(1)->set_shape(1, 3);
  EXPECT_THAT(Error(request), HasSubstr("input \"x\": got shape [2,3], wanted [-1,2]"));
  request = RawRequest();
  request.mutable_inputs(1)->set_shape(0, 0);
  EXPECT_THAT(Error(request), HasSubstr("got shape [0,2]"));
  request = RawRequest();
  request.mutable_inputs(1)->set_shape(0, 3);
  EXPECT_THAT(Error(request), HasSubstr("got 16 raw bytes, wanted 24 for FP32 [3,2]"));
  request = RawRequest();
  request.mutable_inputs(1)->set_shape(0, int64_t{1} << 62);
  EXPECT_THAT(Error(request), HasSubstr("too large"));
}

TEST(DecodeInputsTest, DoesNotMixRawAndTypedContents) {
  ModelInferRequest request = RawRequest();
  request.mutable_inputs(1)->mutable_contents()->add_fp32_contents(1);
  EXPECT_THAT(Error(request),
              HasSubstr("has contents although the request has raw_input_contents"));
  request = RawRequest();
  request.mutable_raw_input_contents()->RemoveLast();
  EXPECT_THAT(Error(request), HasSubstr("got 1 entries, wanted one for each of 2 inputs"));
}

TEST(DecodeInputsTest, LacksSharedMemory) {
  ModelInferRequest request = RawRequest();
  (*request.mutable_inputs(0)->mutable_parameters())["shared_memory_region"].set_string_param("r");
  EXPECT_EQ(DecodeInputs(request, kInputs).status().code(), absl::StatusCode::kUnimplemented);
}

TEST(DecodeOutputsTest, TakesAllOrTheNamedInTheirOrder) {
  const std::vector<runtime::TensorInfo> outputs = {{"a", DataType::kFloat32, {1}},
                                                    {"b", DataType::kFloat32, {1}}};
  ModelInferRequest request;
  EXPECT_THAT(*DecodeOutputs(request, outputs), ElementsAre(0, 1));
  request.add_outputs()->set_name("b");
  EXPECT_THAT(*DecodeOutputs(request, outputs), ElementsAre(1));
  request.add_outputs()->set_name("b");
  EXPECT_EQ(DecodeOutputs(request, outputs).status().code(), absl::StatusCode::kInvalidArgument);
  request.mutable_outputs(1)->set_name("c");
  EXPECT_EQ(DecodeOutputs(request, outputs).status().code(), absl::StatusCode::kInvalidArgument);
  request.mutable_outputs(1)->set_name("a");
  (*request.mutable_outputs(1)->mutable_parameters())["classification"].set_int64_param(3);
  EXPECT_EQ(DecodeOutputs(request, outputs).status().code(), absl::StatusCode::kUnimplemented);
}

TEST(DecodeParametersTest, ReadsOursAndPassesOverOthers) {
  ModelInferRequest request;
  auto& parameters = *request.mutable_parameters();
  parameters["triton_enable_empty_final_response"].set_bool_param(true);
  parameters["variant"].set_string_param("int8");
  parameters["max_latency_ms"].set_int64_param(5);
  parameters["min_agreement"].set_double_param(0.5);
  parameters["prefer"].set_string_param("size");
  parameters["timeout"].set_uint64_param(1500);
  const auto wishes = DecodeParameters(request);
  ASSERT_TRUE(wishes.ok()) << wishes.status();
  EXPECT_EQ(wishes->variant.variant, "int8");
  EXPECT_EQ(wishes->variant.max_latency_ms, 5.0);
  EXPECT_EQ(wishes->variant.min_agreement, 0.5);
  EXPECT_EQ(wishes->variant.prefer, schedule::Preference::kSize);
  EXPECT_EQ(wishes->timeout, absl::Microseconds(1500));
}

TEST(DecodeParametersTest, RefusesWhatMakesNoSense) {
  const std::pair<const char*, std::function<void(inference::InferParameter&)>> cases[] = {
      {"variant", [](auto& p) { p.set_int64_param(8); }},
      {"max_latency_ms", [](auto& p) { p.set_double_param(0); }},
      {"max_latency_ms", [](auto& p) { p.set_string_param("5"); }},
      {"min_agreement", [](auto& p) { p.set_double_param(1.5); }},
      {"min_agreement", [](auto& p) { p.set_double_param(std::nan("")); }},
      {"prefer", [](auto& p) { p.set_string_param("speed"); }},
      {"timeout", [](auto& p) { p.set_int64_param(-1); }},
  };
  for (const auto& [name, set] : cases) {
    ModelInferRequest request;
    set((*request.mutable_parameters())[name]);
    const auto wishes = DecodeParameters(request);
    EXPECT_EQ(wishes.status().code(), absl::StatusCode::kInvalidArgument) << name;
    EXPECT_THAT(std::string(wishes.status().message()), HasSubstr(name));
  }
}

TEST(EncodeOutputsTest, AnswersRawOnceForEachOutput) {
  std::vector<schedule::OutputTensor> outputs;
  outputs.push_back({{"a", DataType::kFloat32, {1}}, "AAAA"});
  outputs.push_back({{"b", DataType::kUint8, {2}}, "BB"});
  inference::ModelInferResponse response;
  EncodeOutputs(std::move(outputs), {1, 0}, response);
  ASSERT_EQ(response.outputs_size(), 2);
  ASSERT_EQ(response.raw_output_contents_size(), 2);
  EXPECT_EQ(response.outputs(0).name(), "b");
  EXPECT_EQ(response.outputs(0).datatype(), "UINT8");
  EXPECT_EQ(response.raw_output_contents(0), "BB");
  EXPECT_EQ(response.raw_output_contents(1), "AAAA");
}

}  // namespace
}  // namespace fourfold::rpc
