// Element-wise operators and reductions: figures worked by hand.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "tests/tflite/model_builder.h"

namespace fourfold::tflite {
namespace {

using ::testing::ElementsAre;
using ::testing::FloatNear;
using ::testing::Pointwise;
using Activation = schema::ActivationFunctionType;

struct Unary {
  Code code;
  std::vector<float> wanted;  // of kArguments
};
const std::vector<float> kArguments = {0.25f, 1.0f, 4.0f};
const std::vector<float> kSigned = {-4.0f, -0.5f, 8.0f};

std::vector<float> Of(Code code, const std::vector<float>& x) {
  ModelBuilder b;
  const int32_t count = static_cast<int32_t>(x.size());
  const int in = b.Input("x", {1, count}), y = b.Tensor("y", {1, count});
  b.Operator(code, {in}, {y});
  b.Output(y);
  return Answer(b.Bytes(), {x});
}

class PositiveUnaryTest : public ::testing::TestWithParam<Unary> {};
TEST_P(PositiveUnaryTest, GivesWhatItsNameSays) {
  EXPECT_THAT(Of(GetParam().code, kArguments), Pointwise(FloatNear(1e-5f), GetParam().wanted));
}
INSTANTIATE_TEST_SUITE_P(Operators, PositiveUnaryTest,
                         ::testing::Values(Unary{Code::SQRT, {0.5f, 1, 2}},
                                           Unary{Code::RSQRT, {2, 1, 0.5f}},
                                           Unary{Code::LOG, {std::log(0.25f), 0, std::log(4.0f)}},
                                           Unary{Code::SQUARE, {0.0625f, 1, 16}}));

class SignedUnaryTest : public ::testing::TestWithParam<Unary> {};
TEST_P(SignedUnaryTest, GivesWhatItsNameSays) {
  EXPECT_THAT(Of(GetParam().code, kSigned), Pointwise(FloatNear(1e-5f), GetParam().wanted));
}
float Sigmoid(float x) { return 1.0f / (1.0f + std::exp(-x)); }
INSTANTIATE_TEST_SUITE_P(
    Operators, SignedUnaryTest,
    ::testing::Values(Unary{Code::ABS, {4, 0.5f, 8}}, Unary{Code::NEG, {4, 0.5f, -8}},
                      Unary{Code::RELU, {0, 0, 8}}, Unary{Code::RELU6, {0, 0, 6}},
                      Unary{Code::RELU_N1_TO_1, {-1, -0.5f, 1}},
                      Unary{Code::RELU_0_TO_1, {0, 0, 1}},
                      Unary{Code::ELU, {std::exp(-4.0f) - 1, std::exp(-0.5f) - 1, 8}},
                      Unary{Code::LOGISTIC, {Sigmoid(-4), Sigmoid(-0.5f), Sigmoid(8)}},
                      Unary{Code::TANH, {std::tanh(-4.0f), std::tanh(-0.5f), std::tanh(8.0f)}},
                      Unary{Code::HARD_SWISH, {0, -0.5f * 2.5f / 6, 8}},
                      Unary{Code::FLOOR, {-4, -1, 8}}, Unary{Code::CEIL, {-4, 0, 8}},
                      Unary{Code::ROUND, {-4, 0, 8}}, Unary{Code::SIGN, {-1, -1, 1}}));

TEST(ExpTest, IsTheExponential) {
  EXPECT_THAT(Of(Code::EXP, {0, 1, -1}),
              Pointwise(FloatNear(1e-5f), {1.0f, std::exp(1.0f), std::exp(-1.0f)}));
}

struct Pair {
  Code code;
  std::vector<float> wanted;  // of {2, -3, 4} and {5, 2, -1}
};
class BinaryTest : public ::testing::TestWithParam<Pair> {};
TEST_P(BinaryTest, GivesWhatItsNameSays) {
  ModelBuilder b;
  const int left = b.Input("left", {1, 3}), right = b.Input("right", {1, 3});
  const int y = b.Tensor("y", {1, 3});
  b.Operator(GetParam().code, {left, right}, {y});
  b.Output(y);
  EXPECT_THAT(Answer(b.Bytes(), {{2, -3, 4}, {5, 2, -1}}),
              Pointwise(FloatNear(1e-5f), GetParam().wanted));
}
INSTANTIATE_TEST_SUITE_P(
    Operators, BinaryTest,
    ::testing::Values(Pair{Code::ADD, {7, -1, 3}}, Pair{Code::SUB, {-3, -5, 5}},
                      Pair{Code::MUL, {10, -6, -4}}, Pair{Code::DIV, {0.4f, -1.5f, -4}},
                      Pair{Code::MAXIMUM, {5, 2, 4}}, Pair{Code::MINIMUM, {2, -3, -1}},
                      Pair{Code::POW, {32, 9, 0.25f}},
                      Pair{Code::SQUARED_DIFFERENCE, {9, 25, 25}}));

TEST(AddTest, BroadcastsAlongTheLastDimensionAndFusesTheActivation) {
  ModelBuilder b;
  const int x = b.Input("x", {1, 2, 2}), y = b.Tensor("y", {1, 2, 2});
  b.Operator(Code::ADD, {x, b.Floats("c", {2}, {10, -10})}, {y},
             schema::CreateAddOptions(b.fbb, Activation::RELU));
  b.Output(y);
  EXPECT_THAT(Answer(b.Bytes(), {{1, 2, 3, 4}}), ElementsAre(11, 0, 13, 0));
}

TEST(LeakyReluTest, TakesItsSlopeFromTheOptions) {
  ModelBuilder b;
  const int x = b.Input("x", {1, 2}), y = b.Tensor("y", {1, 2});
  b.Operator(Code::LEAKY_RELU, {x}, {y}, schema::CreateLeakyReluOptions(b.fbb, 0.25f));
  b.Output(y);
  EXPECT_THAT(Answer(b.Bytes(), {{-4, 4}}), ElementsAre(-1, 4));
}

TEST(PReluTest, HasASlopePerChannel) {
  ModelBuilder b;
  const int x = b.Input("x", {1, 1, 2, 2}), y = b.Tensor("y", {1, 1, 2, 2});
  b.Operator(Code::PRELU, {x, b.Floats("slope", {1, 1, 2}, {0.5f, -1})}, {y});
  b.Output(y);
  EXPECT_THAT(Answer(b.Bytes(), {{-4, -4, 4, 4}}), ElementsAre(-2, 4, 4, 4));
}

struct Reduction {
  Code code;
  bool keep_dims;
  std::vector<float> wanted;  // over axes 1 and -2 of [1, 2, 2, 2] = 1 .. 8
};
class ReduceTest : public ::testing::TestWithParam<Reduction> {};
TEST_P(ReduceTest, TakesAwayTheAxes) {
  ModelBuilder b;
  const int x = b.Input("x", {1, 2, 2, 2}), y = b.Tensor("y", {});
  b.Operator(GetParam().code, {x, b.Ints("axes", {1, -2})}, {y},
             schema::CreateReducerOptions(b.fbb, GetParam().keep_dims));
  b.Output(y);
  const auto file = b.Bytes();
  EXPECT_THAT(Answer(file, {{1, 2, 3, 4, 5, 6, 7, 8}}),
              Pointwise(FloatNear(1e-5f), GetParam().wanted));
  const graph::Graph graph = Imported(file);
  const graph::Shape wanted = GetParam().keep_dims ? graph::Shape{1, 1, 1, 2} : graph::Shape{1, 2};
  EXPECT_EQ(*graph.value(graph.outputs[0]).shape, wanted);
}
INSTANTIATE_TEST_SUITE_P(Operators, ReduceTest,
                         ::testing::Values(Reduction{Code::MEAN, true, {4, 5}},
                                           Reduction{Code::MEAN, false, {4, 5}},
                                           Reduction{Code::SUM, false, {16, 20}},
                                           Reduction{Code::REDUCE_MAX, false, {7, 8}},
                                           Reduction{Code::REDUCE_MIN, true, {1, 2}},
                                           Reduction{Code::REDUCE_PROD, false, {105, 384}}));

TEST(CastTest, TruncatesToIntegersAndBack) {
  ModelBuilder b;
  const int x = b.Input("x", {1, 3});
  const int integers = b.Tensor("i", {1, 3}, schema::TensorType::INT32);
  const int y = b.Tensor("y", {1, 3});
  b.Operator(Code::CAST, {x}, {integers});
  b.Operator(Code::CAST, {integers}, {y});
  b.Output(y);
  EXPECT_THAT(Answer(b.Bytes(), {{1.75f, -1.75f, 3}}), ElementsAre(1, -1, 3));
}

}  // namespace
}  // namespace fourfold::tflite
