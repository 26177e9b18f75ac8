// Quantized files: integer results against plain loops with Fourfold's rounding, and how far that
// is from TensorFlow Lite's.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "kernels/arithmetic.h"
#include "server/tflite/import.h"
#include "tests/testing/graph_builder.h"
#include "tests/tflite/model_builder.h"

namespace fourfold::tflite {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::FloatNear;
using ::testing::Pointwise;
using Activation = schema::ActivationFunctionType;
using Type = schema::TensorType;

// A 1x1 convolution of 8-bit integers, one position: 32 channels in, 16 out.
struct QuantizedLayer {
  static constexpr int kIn = 32, kOut = 16;
  float in_scale = 0.05f, out_scale = 0.11f;
  int in_zero = -3, out_zero = 7;
  std::vector<float> weight_scale;  // one or kOut
  std::vector<int> weight_zero;     // as many
  std::vector<int> x, w;            // w [kOut][kIn]
  std::vector<int32_t> bias;

  int64_t Sum(int o) const {
    int64_t sum = bias[o];
    for (int i = 0; i < kIn; ++i) {
      sum += int64_t{x[i] - in_zero} * (w[o * kIn + i] - weight_zero[o % weight_zero.size()]);
    }
    return sum;
  }
  float WeightScale(int o) const { return weight_scale[o % weight_scale.size()]; }
};

// saturate(round half to even(float(sum) * multiplier) + zero point), as ARCHITECTURE.md has it.
std::vector<int> OurRounding(const QuantizedLayer& l, int low, int high) {
  std::vector<int> y;
  for (int o = 0; o < QuantizedLayer::kOut; ++o) {
    const float multiplier = l.in_scale * l.WeightScale(o) / l.out_scale;
    const float rounded = std::nearbyintf(static_cast<float>(l.Sum(o)) * multiplier);
    y.push_back(std::clamp(static_cast<int>(rounded) + l.out_zero, low, high));
  }
  return y;
}

// What TensorFlow Lite's reference does: a multiplier of 31 bits and a shift, two roundings
// (gemmlowp's saturating rounding doubling high product, then a division by a power of two).
std::vector<int> TheirRounding(const QuantizedLayer& l, int low, int high) {
  std::vector<int> y;
  for (int o = 0; o < QuantizedLayer::kOut; ++o) {
    const double real = double{l.in_scale} * l.WeightScale(o) / l.out_scale;
    int exponent = 0;
    const int64_t mantissa = std::llround(std::frexp(real, &exponent) * (int64_t{1} << 31));
    const int64_t product = l.Sum(o) * mantissa;
    const int64_t nudge = product >= 0 ? 1 << 30 : 1 - (1 << 30);
    const auto high_half = static_cast<int32_t>((product + nudge) / (int64_t{1} << 31));
    const int shift = -exponent;
    const int32_t mask = (1 << shift) - 1, remainder = high_half & mask;
    const int32_t threshold = (mask >> 1) + (high_half < 0 ? 1 : 0);
    const int32_t rounded = (high_half >> shift) + (remainder > threshold ? 1 : 0);
    y.push_back(std::clamp(rounded + l.out_zero, low, high));
  }
  return y;
}

QuantizedLayer RandomLayer(std::mt19937& random, bool per_channel, bool is_unsigned) {
  QuantizedLayer l;
  const auto between = [&](int low, int high) {
    return low + static_cast<int>(random() % static_cast<unsigned>(high - low + 1));
  };
  if (is_unsigned) {
    l.in_zero = 120;
    l.out_zero = 131;
  }
  for (int i = 0; i < QuantizedLayer::kIn; ++i)
    l.x.push_back(is_unsigned ? between(0, 255) : between(-128, 127));
  for (int o = 0; o < QuantizedLayer::kOut; ++o) {
    if (per_channel || o == 0) {
      l.weight_scale.push_back(0.001f * static_cast<float>(between(5, 40)));
      l.weight_zero.push_back(is_unsigned ? between(100, 150) : 0);
    }
    l.bias.push_back(between(-3000, 3000));
    for (int i = 0; i < QuantizedLayer::kIn; ++i)
      l.w.push_back(is_unsigned ? between(0, 255) : between(-127, 127));
  }
  return l;
}

template <typename T>
std::vector<T> As(const std::vector<int>& values) {
  return {values.begin(), values.end()};
}

template <typename T>
std::vector<std::byte> ConvFile(const QuantizedLayer& l) {
  constexpr int kIn = QuantizedLayer::kIn, kOut = QuantizedLayer::kOut;
  const Type type = std::is_signed_v<T> ? Type::INT8 : Type::UINT8;
  ModelBuilder b;
  const int x = b.Input("x", {1, 1, 1, kIn}, type, {{l.in_scale}, {l.in_zero}});
  const int w = b.Constant<T>("w", {kOut, 1, 1, kIn}, type, As<T>(l.w),
                              {l.weight_scale, {l.weight_zero.begin(), l.weight_zero.end()}, 0});
  std::vector<float> bias_scale;
  for (float scale : l.weight_scale) bias_scale.push_back(l.in_scale * scale);
  const int bias = b.Constant<int32_t>("b", {kOut}, Type::INT32, l.bias,
                                       {bias_scale, std::vector<int64_t>(bias_scale.size(), 0)});
  const int y = b.Tensor("y", {1, 1, 1, kOut}, type, {{l.out_scale}, {l.out_zero}});
  b.Operator(Code::CONV_2D, {x, w, bias}, {y},
             schema::CreateConv2DOptions(b.fbb, schema::Padding::VALID, 1, 1));
  b.Output(y);
  return b.Bytes();
}

TEST(QuantizedConvTest, IntegersArePlainLoopsWithOneRounding) {
  std::mt19937 random(20261121);
  for (int round = 0; round < 20; ++round) {
    const QuantizedLayer l = RandomLayer(random, round % 2 == 0, false);
    EXPECT_EQ(IntegerAnswer(ConvFile<int8_t>(l), As<int8_t>(l.x)),
              As<int8_t>(OurRounding(l, -128, 127)))
        << "round " << round;
  }
}

TEST(QuantizedConvTest, OldUnsignedFilesWithAsymmetricWeightsAreWithinAStep) {
  std::mt19937 random(20261122);
  for (int round = 0; round < 20; ++round) {
    const QuantizedLayer l = RandomLayer(random, false, true);
    const std::vector<uint8_t> got = IntegerAnswer(ConvFile<uint8_t>(l), As<uint8_t>(l.x));
    const std::vector<int> wanted = OurRounding(l, 0, 255);
    ASSERT_EQ(got.size(), wanted.size());
    for (size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], wanted[i], 1) << "round " << round;
  }
}

// The contract in import.h: both roundings give the same integer or neighbours.
TEST(RoundingTest, DiffersFromTensorFlowLiteByAStepAtMost) {
  std::mt19937 random(20261123);
  int different = 0, compared = 0;
  for (int round = 0; round < 2000; ++round) {
    QuantizedLayer l = RandomLayer(random, true, false);
    // Multipliers whose products meet halves: there the rules part.
    if (round % 2 == 0) {
      l.in_scale = 0.5f;
      l.out_scale = 64.0f;
      for (float& scale : l.weight_scale) scale = 1.0f;
    }
    const std::vector<int> ours = OurRounding(l, -128, 127), theirs = TheirRounding(l, -128, 127);
    for (size_t i = 0; i < ours.size(); ++i, ++compared) {
      ASSERT_LE(std::abs(ours[i] - theirs[i]), 1);
      different += ours[i] != theirs[i];
    }
  }
  EXPECT_GT(different, 0);  // else the test would show nothing
  EXPECT_LT(different, compared / 50);
}

TEST(QuantizedConvTest, BiasCountsInInputTimesWeightScaleWhateverItsOwnScaleSays) {
  ModelBuilder b;
  const int x = b.Input("x", {1, 1, 1, 1}, Type::INT8, {{0.5f}, {0}});
  const int w = b.Constant<int8_t>("w", {1, 1, 1, 1}, Type::INT8, {0}, {{0.25f}, {0}});
  const int bias = b.Constant<int32_t>("b", {1}, Type::INT32, {80}, {{1000.0f}, {0}});
  const int y = b.Tensor("y", {1, 1, 1, 1}, Type::INT8, {{1.0f}, {0}});
  b.Operator(Code::CONV_2D, {x, w, bias}, {y},
             schema::CreateConv2DOptions(b.fbb, schema::Padding::VALID, 1, 1));
  b.Output(y);
  EXPECT_THAT(IntegerAnswer<int8_t>(b.Bytes(), {1}), ElementsAre(10));  // 80 * 0.125
}

TEST(QuantizedConvTest, RunsInIntegerArithmetic) {
  std::mt19937 random(1);
  const graph::Graph graph = Imported(ConvFile<int8_t>(RandomLayer(random, true, false)));
  const graph::Node* conv = testing::Only<graph::Conv>(graph);
  ASSERT_NE(conv, nullptr);
  EXPECT_TRUE(graph.value(conv->inputs[0]).quantization.has_value());
  EXPECT_EQ(graph.value(conv->inputs[1]).type, graph::DataType::kInt8);
  EXPECT_EQ(graph.value(conv->inputs[1]).quantization->axis, 0);
  EXPECT_TRUE(graph.value(conv->outputs[0]).quantization.has_value());
}

TEST(QuantizedFullyConnectedTest, RowsOfIntegers) {
  ModelBuilder b;
  const int x = b.Input("x", {1, 2}, Type::INT8, {{0.5f}, {-1}});
  const int w = b.Constant<int8_t>("w", {2, 2}, Type::INT8, {1, 2, -3, 4}, {{0.5f}, {0}});
  const int bias = b.Constant<int32_t>("b", {2}, Type::INT32, {2, -2}, {{0.25f}, {0}});
  const int y = b.Tensor("y", {1, 2}, Type::INT8, {{1.0f}, {10}});
  b.Operator(Code::FULLY_CONNECTED, {x, w, bias}, {y}, schema::CreateFullyConnectedOptions(b.fbb));
  b.Output(y);
  // (2+ 1*10 + 2*20) / 4 = 13; (-2 - 3*10 + 4*20) / 4 = 12
  EXPECT_THAT(IntegerAnswer<int8_t>(b.Bytes(), {9, 19}), ElementsAre(23, 22));
}

TEST(QuantizedAddTest, RescalesBothOperands) {
  ModelBuilder b;
  const int x = b.Input("x", {1, 2}, Type::INT8, {{0.5f}, {2}});
  const int c = b.Constant<int8_t>("c", {1, 2}, Type::INT8, {4, -4}, {{0.25f}, {0}});
  const int y = b.Tensor("y", {1, 2}, Type::INT8, {{0.5f}, {-10}});
  b.Operator(Code::ADD, {x, c}, {y}, schema::CreateAddOptions(b.fbb, Activation::RELU));
  b.Output(y);
  EXPECT_THAT(IntegerAnswer<int8_t>(b.Bytes(), {12, 2}), ElementsAre(2, -10));  // 6; relu(-1)
}

TEST(QuantizedMovementTest, KeepsTheIntegersOfEqualScales) {
  ModelBuilder b;
  const ModelBuilder::Quantization how = {{0.3f}, {5}};
  const int x = b.Input("x", {1, 2, 2, 1}, Type::INT8, how);
  const int pooled = b.Tensor("p", {1, 2, 1, 1}, Type::INT8, how);
  const int flat = b.Tensor("f", {1, 2}, Type::INT8, how);
  const int padded = b.Tensor("y", {1, 4}, Type::INT8, how);
  b.Operator(Code::MAX_POOL_2D, {x}, {pooled},
             schema::CreatePool2DOptions(b.fbb, schema::Padding::VALID, 2, 1, 2, 1));
  b.Operator(Code::RESHAPE, {pooled, b.Ints("s", {1, 2})}, {flat});
  b.Operator(Code::PAD, {flat, b.Constant<int32_t>("pads", {2, 2}, Type::INT32, {0, 0, 1, 1})},
             {padded});
  b.Output(padded);
  // Zero stands where the zero point is.
  EXPECT_THAT(IntegerAnswer<int8_t>(b.Bytes(), {-128, 127, 3, 1}), ElementsAre(5, 127, 3, 5));
}

TEST(QuantizeTest, ChangesScaleAndSign) {
  ModelBuilder b;
  const int x = b.Input("x", {1, 3}, Type::UINT8, {{0.5f}, {128}});
  const int real = b.Tensor("real", {1, 3});
  const int y = b.Tensor("y", {1, 3}, Type::UINT8, {{1.0f}, {100}});
  b.Operator(Code::DEQUANTIZE, {x}, {real});
  b.Operator(Code::QUANTIZE, {real}, {y});
  b.Output(y);
  EXPECT_THAT(IntegerAnswer<uint8_t>(b.Bytes(), {128, 138, 0}), ElementsAre(100, 105, 36));
}

std::vector<std::byte> DynamicFile(std::vector<int8_t> weights, std::vector<float> scale) {
  const auto rows = static_cast<int32_t>(weights.size()) / 4;
  ModelBuilder b;
  const int x = b.Input("x", {1, 4});
  const std::vector<int64_t> zeros(scale.size(), 0);
  const int w = b.Constant<int8_t>("w", {rows, 4}, Type::INT8, weights, {scale, zeros, 0});
  const int y = b.Tensor("y", {1, rows});
  b.Operator(Code::FULLY_CONNECTED, {x, w}, {y}, schema::CreateFullyConnectedOptions(b.fbb));
  b.Output(y);
  return b.Bytes();
}

TEST(DynamicRangeTest, FloatInputsAreQuantizedPerSample) {
  const auto file = DynamicFile({1, 2, 3, 4, -4, 3, -2, 1}, {0.5f, 0.25f});
  const graph::Graph graph = Imported(file);
  const graph::Node* quantize = testing::Only<graph::DynamicQuantize>(graph);
  ASSERT_NE(quantize, nullptr);
  EXPECT_TRUE(quantize->as<graph::DynamicQuantize>()->per_sample);
  // -1 to 1.55 in 255 steps of 0.01 holds these numbers exactly but for float rounding.
  EXPECT_THAT(Answer(file, {{-1.0f, 1.55f, 0.5f, 0.25f}}),
              Pointwise(FloatNear(1e-4f), {0.5f * (-1 + 3.1f + 1.5f + 1), 0.25f * 7.9f}));
}

TEST(HalfWeightsTest, StayHalfBehindDequantize) {
  ModelBuilder b;
  const int x = b.Input("x", {1, 1, 1, 2});
  const int half = b.Constant<uint16_t>("half", {1, 1, 1, 2}, Type::FLOAT16, {0x3C00, 0xC100});
  const int w = b.Tensor("w", {1, 1, 1, 2}), y = b.Tensor("y", {1, 1, 1, 1});
  b.Operator(Code::DEQUANTIZE, {half}, {w});
  b.Operator(Code::CONV_2D, {x, w}, {y},
             schema::CreateConv2DOptions(b.fbb, schema::Padding::VALID, 1, 1));
  b.Output(y);
  const auto file = b.Bytes();
  EXPECT_THAT(Answer(file, {{3, 2}}), ElementsAre(3 - 5));  // 1 and -2.5
  const graph::Graph graph = Imported(file);
  const graph::Node* conv = testing::Only<graph::Conv>(graph);
  ASSERT_NE(conv, nullptr);
  EXPECT_EQ(graph.value(conv->inputs[1]).type, graph::DataType::kFloat16);
}

}  // namespace
}  // namespace fourfold::tflite
