#include "loadtest/answer_check.h"

#include <cmath>
#include <cstring>
#include <limits>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "loadtest/elements.h"

namespace fourfold::loadtest {
namespace {

using client::InferResponse;
using client::Tensor;

Tensor Floats(const std::vector<int64_t>& shape, const std::vector<float>& values,
              const std::string& name = "y") {
  return {name, "FP32", shape,
          std::string(reinterpret_cast<const char*>(values.data()), values.size() * 4)};
}

InferResponse Response(const std::vector<float>& values) {
  return {.model = "m", .outputs = {Floats({1, static_cast<int64_t>(values.size())}, values)}};
}

template <typename T>
Tensor Of(const std::string& datatype, const std::vector<T>& values) {
  return {"t",
          datatype,
          {static_cast<int64_t>(values.size())},
          std::string(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T))};
}

TEST(ElementsTest, ReadsEveryDatatype) {
  using testing::ElementsAre;
  EXPECT_THAT(*Elements(Of<float>("FP32", {-1.5f, 3})), ElementsAre(-1.5, 3));
  EXPECT_THAT(*Elements(Of<double>("FP64", {0.1})), ElementsAre(0.1));
  EXPECT_THAT(*Elements(Of<int8_t>("INT8", {-128, 127})), ElementsAre(-128, 127));
  EXPECT_THAT(*Elements(Of<uint8_t>("UINT8", {0, 255})), ElementsAre(0, 255));
  EXPECT_THAT(*Elements(Of<uint8_t>("BOOL", {0, 1})), ElementsAre(0, 1));
  EXPECT_THAT(*Elements(Of<int16_t>("INT16", {-32768})), ElementsAre(-32768));
  EXPECT_THAT(*Elements(Of<uint16_t>("UINT16", {65535})), ElementsAre(65535));
  EXPECT_THAT(*Elements(Of<int32_t>("INT32", {-7})), ElementsAre(-7));
  EXPECT_THAT(*Elements(Of<uint32_t>("UINT32", {4294967295u})), ElementsAre(4294967295.0));
  EXPECT_THAT(*Elements(Of<int64_t>("INT64", {-9})), ElementsAre(-9));
  EXPECT_THAT(*Elements(Of<uint64_t>("UINT64", {9})), ElementsAre(9));
  // IEEE 754 binary16: 1, -2, the largest, the smallest, infinity.
  EXPECT_THAT(
      *Elements(Of<uint16_t>("FP16", {0x3c00, 0xc000, 0x7bff, 0x0001, 0x7c00})),
      ElementsAre(1, -2, 65504, std::ldexp(1, -24), std::numeric_limits<double>::infinity()));
}

TEST(ElementsTest, RefusesWhatItCannotRead) {
  EXPECT_EQ(Elements({"t", "BYTES", {1}, "abcd"}).status().code(),
            absl::StatusCode::kUnimplemented);
  EXPECT_EQ(Elements({"t", "FP32", {1}, "abc"}).status().code(), absl::StatusCode::kDataLoss);
}

// Reference (3, 4), answer (3, 3.5): signal 25, noise 0.25, so 20 dB; 0.5 of 4 is an eighth.
TEST(CompareTest, MeasuresDifferencesAsWorkedByHand) {
  const auto difference = Compare(Response({3, 3.5}), Response({3, 4}));
  ASSERT_TRUE(difference.ok()) << difference.status();
  EXPECT_DOUBLE_EQ(difference->signal, 25);
  EXPECT_DOUBLE_EQ(difference->noise, 0.25);
  EXPECT_DOUBLE_EQ(*difference->SqnrDb(), 20);
  EXPECT_DOUBLE_EQ(difference->largest, 0.125);
  EXPECT_EQ(difference->rows, 1);
  EXPECT_EQ(difference->rows_agree, 1);
}

TEST(CompareTest, EqualAnswersHaveNoRatio) {
  const auto difference = Compare(Response({3, 4}), Response({3, 4}));
  ASSERT_TRUE(difference.ok());
  EXPECT_FALSE(difference->SqnrDb().has_value());
  EXPECT_EQ(difference->largest, 0);
}

TEST(CompareTest, CountsTheClassOfEachSampleOfABatch) {
  InferResponse reference;
  reference.outputs = {
      Floats({3, 1, 2}, {0, 1, 1, 0, 5, 5})};  // classes 1, 0, 0 (the first of equals)
  InferResponse answer;
  answer.outputs = {Floats({3, 1, 2}, {0, 2, 0, 1, 5, 4})};  // 1, 1, 0
  const auto difference = Compare(answer, reference);
  ASSERT_TRUE(difference.ok());
  EXPECT_EQ(difference->rows, 3);
  EXPECT_EQ(difference->rows_agree, 2);
}

TEST(CompareTest, OutputsThatAreNoClassesHaveNoAgreement) {
  for (const std::vector<int64_t>& shape : {std::vector<int64_t>{6}, {1, 3, 2}, {6, 1}}) {
    InferResponse response;
    response.outputs = {Floats(shape, {1, 2, 3, 4, 5, 6})};
    EXPECT_EQ(Compare(response, response)->rows, 0);
  }
}

TEST(CompareTest, OtherTensorsAreMalformed) {
  const InferResponse reference = Response({1, 2});
  InferResponse named = reference;
  named.outputs[0].name = "z";
  InferResponse shaped = reference;
  shaped.outputs[0].shape = {2, 1};
  InferResponse typed = reference;
  typed.outputs[0].datatype = "INT32";
  InferResponse cut = reference;
  cut.outputs[0].bytes.resize(4);
  InferResponse more = reference;
  more.outputs.push_back(more.outputs[0]);
  for (const InferResponse& answer : {named, shaped, typed, cut, more}) {
    EXPECT_EQ(Compare(answer, reference).status().code(), absl::StatusCode::kDataLoss);
  }
}

TEST(CompareTest, NotANumberIsMalformedWhereTheReferenceIsOne) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(Compare(Response({1, nan}), Response({1, 2})).status().code(),
            absl::StatusCode::kDataLoss);
  EXPECT_TRUE(Compare(Response({1, nan}), Response({1, nan})).ok());
}

class AnswerCheckTest : public testing::Test {
 protected:
  void Add(AnswerCheck& check, size_t target, size_t input, const std::vector<float>& values) {
    const Answer answer = client::EncodedResponse(Response(values));
    check.Add({{0, 0, target, input}, true, {}, {}, {}, answer});
  }

  AnswerCheck check_{{Response({1, 2}), Response({4, 3})}, 2};
};

TEST_F(AnswerCheckTest, AddsUpAllAnswersOfATarget) {
  for (int i = 0; i < 3; ++i) Add(check_, 0, 0, {1, 2});
  Add(check_, 1, 0, {2, 1});  // the other class
  Add(check_, 1, 1, {4, 3});
  EXPECT_EQ(check_.Figures(0).checked, 3);
  EXPECT_EQ(check_.Figures(0).difference.rows_agree, 3);
  const AnswerFigures second = check_.Figures(1);
  EXPECT_EQ(second.checked, 2);
  EXPECT_EQ(second.difference.rows_agree, 1);
  EXPECT_DOUBLE_EQ(second.difference.signal, 5 + 25);
  EXPECT_DOUBLE_EQ(second.difference.noise, 2);
  EXPECT_EQ(second.inconsistent, 0);
}

TEST_F(AnswerCheckTest, AnAnswerThatIsNotTheFirstOneAgainIsInconsistent) {
  Add(check_, 0, 0, {1, 2});
  Add(check_, 0, 0, {1, 2.5});
  Add(check_, 0, 0, {1, 2});
  Add(check_, 0, 1, {4, 2.5});  // another input: its own first answer
  Add(check_, 1, 0, {1, 2.5});  // another target: likewise
  EXPECT_EQ(check_.Figures(0).inconsistent, 1);
  EXPECT_EQ(check_.Figures(1).inconsistent, 0);
  EXPECT_DOUBLE_EQ(check_.Figures(0).difference.noise, 0.25 + 0.25);
}

TEST_F(AnswerCheckTest, MalformedAnswersAreCountedAndExplained) {
  Add(check_, 0, 0, {1, 2, 3});
  EXPECT_EQ(check_.Figures(0).malformed, 1);
  EXPECT_EQ(check_.Figures(0).checked, 0);
  EXPECT_THAT(check_.Figures(0).first_malformed, testing::HasSubstr("shape differs"));
}

TEST_F(AnswerCheckTest, FailedCallsAreNotAnswers) {
  const Answer failed = absl::InternalError("bad");
  check_.Add({{0, 0, 0, 0}, true, {}, {}, {}, failed});
  EXPECT_EQ(check_.Figures(0).checked + check_.Figures(0).malformed, 0);
}

}  // namespace
}  // namespace fourfold::loadtest
