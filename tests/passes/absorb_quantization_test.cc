#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/graph/validate.h"
#include "server/passes/passes.h"
#include "tests/testing/graph_builder.h"

namespace fourfold::passes {
namespace {

using graph::DataType;
using graph::Graph;
using graph::kNoValue;
using graph::Node;
using graph::Quantization;
using graph::Value;
using graph::ValueId;
using testing::Count;
using ::testing::ElementsAre;
using testing::GraphBuilder;
using ::testing::HasSubstr;
using testing::Only;

Graph Absorbed(GraphBuilder& b) {
  Graph graph = b.Build();
  const absl::Status absorbed = AbsorbQuantization(graph);
  EXPECT_TRUE(absorbed.ok()) << absorbed;
  const absl::Status valid = graph::Validate(graph);
  EXPECT_TRUE(valid.ok()) << valid;
  return graph;
}

const Quantization kHalf{{0.5f}, {3}, -1};

TEST(AbsorbQuantizationTest, ComputedValueBecomesTheQuantizedOne) {
  GraphBuilder b;
  const ValueId y = b.Relu(b.Input("x", {1, 4}));
  b.Output(b.Named("last").Sigmoid(b.QuantizeDequantize(y, 0.5f, 3)));
  const Graph graph = Absorbed(b);
  EXPECT_EQ(graph.nodes.size(), 2u);
  EXPECT_EQ(graph.value(y).type, DataType::kUint8);
  EXPECT_EQ(graph.value(y).quantization, kHalf);
  EXPECT_EQ(graph.nodes[1].inputs[0], y);
}

TEST(AbsorbQuantizationTest, GraphInputKeepsAnExplicitQuantize) {
  GraphBuilder b;
  b.Output(b.Relu(b.QuantizeDequantize(b.Input("x", {1, 4}), 0.5f, 3)));
  const Graph graph = Absorbed(b);
  const Node* quantize = Only<graph::Quantize>(graph);
  ASSERT_NE(quantize, nullptr);
  EXPECT_EQ(quantize->inputs.size(), 1u);
  EXPECT_EQ(graph.value(quantize->outputs[0]).quantization, kHalf);
  EXPECT_EQ(Count<graph::Dequantize>(graph), 0u);
  EXPECT_EQ(Only<graph::Eltwise>(graph)->inputs[0], quantize->outputs[0]);
  EXPECT_FALSE(graph.value(graph.inputs[0]).quantization.has_value());
}

TEST(AbsorbQuantizationTest, ValueThatIsAlsoReadAsFloatKeepsAnExplicitQuantize) {
  GraphBuilder b;
  const ValueId y = b.Relu(b.Input("x", {1, 4}));
  b.Output(b.Sigmoid(b.QuantizeDequantize(y, 0.5f, 3))).Output(b.Softmax(y));
  const Graph graph = Absorbed(b);
  EXPECT_FALSE(graph.value(y).quantization.has_value());
  EXPECT_EQ(Count<graph::Quantize>(graph), 1u);
  EXPECT_EQ(Only<graph::Softmax>(graph)->inputs[0], y);
}

TEST(AbsorbQuantizationTest, GraphOutputStaysFloat) {
  GraphBuilder b;
  const ValueId y = b.Relu(b.Input("x", {1, 4}));
  b.Output(y);
  b.Output(b.Sigmoid(b.QuantizeDequantize(y, 0.5f, 3)));
  const Graph graph = Absorbed(b);
  EXPECT_FALSE(graph.value(y).quantization.has_value());
  EXPECT_EQ(graph.value(y).type, DataType::kFloat32);
}

TEST(AbsorbQuantizationTest, DequantizedGraphOutputKeepsItsDequantizeAndName) {
  GraphBuilder b;
  const ValueId y = b.Relu(b.Input("x", {1, 4}));
  b.Output(b.QuantizeDequantize(y, 0.5f, 3), "answer");
  const Graph graph = Absorbed(b);
  const Node* dequantize = Only<graph::Dequantize>(graph);
  ASSERT_NE(dequantize, nullptr);
  EXPECT_EQ(dequantize->inputs, (std::vector<ValueId>{y}));
  EXPECT_EQ(graph.value(graph.outputs[0]).name, "answer");
  EXPECT_EQ(graph.value(graph.outputs[0]).type, DataType::kFloat32);
  EXPECT_EQ(graph.value(y).quantization, kHalf);
}

TEST(AbsorbQuantizationTest, QuantizedGraphOutputStaysIntegers) {
  GraphBuilder b;
  b.Output(b.Quantize(b.Relu(b.Input("x", {1, 4})), 0.5f, 3), "answer");
  const Graph graph = Absorbed(b);
  EXPECT_EQ(Count<graph::Quantize>(graph), 1u);
  EXPECT_EQ(graph.value(graph.outputs[0]).type, DataType::kUint8);
  EXPECT_EQ(graph.value(graph.outputs[0]).quantization, kHalf);
}

TEST(AbsorbQuantizationTest, QuantizedGraphInputCarriesItsParameters) {
  GraphBuilder b;
  b.Output(b.Relu(b.Dequantize(b.Input("x", {1, 4}, DataType::kUint8), 0.5f, 3)));
  const Graph graph = Absorbed(b);
  EXPECT_EQ(graph.value(graph.inputs[0]).quantization, kHalf);
  EXPECT_EQ(Count<graph::Dequantize>(graph), 0u);
  EXPECT_EQ(Only<graph::Eltwise>(graph)->inputs[0], graph.inputs[0]);
}

TEST(AbsorbQuantizationTest, ReadersWithOtherParametersAreLeftAlone) {
  GraphBuilder b;
  const ValueId q = b.Quantize(b.Relu(b.Input("x", {1, 4})), 0.5f, 3);
  b.Output(b.Sigmoid(b.Dequantize(q, 0.25f, 3)));
  const Graph graph = Absorbed(b);
  EXPECT_EQ(Only<graph::Quantize>(graph)->inputs.size(), 3u);
  EXPECT_EQ(Only<graph::Dequantize>(graph)->inputs.size(), 3u);
  EXPECT_FALSE(graph.value(q).quantization.has_value());
}

TEST(AbsorbQuantizationTest, EqualQuantizesOfOneValueAreOne) {
  GraphBuilder b;
  const ValueId y = b.Relu(b.Input("x", {1, 4}));
  b.Output(b.Sum(b.QuantizeDequantize(y, 0.5f, 3), b.QuantizeDequantize(y, 0.5f, 3)));
  const Graph graph = Absorbed(b);
  EXPECT_EQ(graph.nodes.size(), 2u);
  EXPECT_EQ(graph.nodes[1].inputs, (std::vector<ValueId>{y, y}));
}

TEST(AbsorbQuantizationTest, ScaleThatIsNotPositiveIsRefused) {
  GraphBuilder b;
  b.Named("zero");
  b.Output(b.Dequantize(b.Quantize(b.Relu(b.Input("x", {1, 4})), 0.0f, 0), 0.0f, 0));
  Graph graph = b.Build();
  const absl::Status status = AbsorbQuantization(graph);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("got scale 0"));
}

TEST(AbsorbQuantizationTest, ConvolutionWeightsKeepTheirIntegersAndAxis) {
  GraphBuilder b;
  const ValueId w = b.QuantizedWeights({2, 1, 1, 1}, {5, -7}, {0.5f, 0.25f}, 0);
  b.Output(b.Conv(b.Input("x", {1, 1, 4, 4}), w));
  const Graph graph = Absorbed(b);
  const Value& weights = graph.value(Only<graph::Conv>(graph)->inputs[1]);
  ASSERT_NE(weights.constant, nullptr);
  EXPECT_EQ(weights.type, DataType::kInt8);
  EXPECT_THAT(weights.constant->ToInt64(), ElementsAre(5, -7));
  EXPECT_EQ(weights.quantization, (Quantization{{0.5f, 0.25f}, {0, 0}, 0}));
}

TEST(AbsorbQuantizationTest, BiasOfInt32StaysTheIntegersItIs) {
  GraphBuilder b;
  const ValueId integers = b.Constant(graph::Tensor::Of<int32_t>(DataType::kInt32, {2}, {100, -3}));
  const ValueId bias = b.Add(graph::Dequantize{0}, {integers, b.Constant({2}, {0.5f, 2.0f})});
  b.Output(b.Conv(b.Input("x", {1, 1, 4, 4}), b.Filled({2, 1, 1, 1}, 1), bias));
  const Graph graph = Absorbed(b);
  const Value& value = graph.value(Only<graph::Conv>(graph)->inputs[2]);
  ASSERT_NE(value.constant, nullptr);
  EXPECT_EQ(value.quantization, (Quantization{{0.5f, 2.0f}, {0, 0}, 0}));
  EXPECT_THAT(value.constant->ToInt64(), ElementsAre(100, -3));
}

TEST(AbsorbQuantizationTest, Int32ThatIsNotABiasBecomesFloat) {
  GraphBuilder b;
  const ValueId integers = b.Constant(graph::Tensor::Of<int32_t>(DataType::kInt32, {2}, {100, -3}));
  const ValueId real = b.Add(graph::Dequantize{0}, {integers, b.Constant({2}, {0.5f, 2.0f})});
  b.Output(b.Sum(b.Input("x", {1, 2}), real));
  const Graph graph = Absorbed(b);
  const Value& value = graph.value(Only<graph::Binary>(graph)->inputs[1]);
  ASSERT_NE(value.constant, nullptr);
  EXPECT_FALSE(value.quantization.has_value());
  EXPECT_THAT(value.constant->ToFloat(), ElementsAre(50.0f, -6.0f));
}

TEST(AbsorbQuantizationTest, FloatWeightsBehindQuantizeAreQuantizedOnce) {
  GraphBuilder b;
  const ValueId w =
      b.QuantizeDequantize(b.Constant({2, 1, 1, 1}, {1.0f, -0.6f}), 0.5f, 0, DataType::kInt8);
  b.Output(b.Conv(b.Input("x", {1, 1, 4, 4}), w));
  const Graph graph = Absorbed(b);
  EXPECT_EQ(graph.nodes.size(), 1u);
  const Value& weights = graph.value(graph.nodes[0].inputs[1]);
  EXPECT_THAT(weights.constant->ToInt64(), ElementsAre(2, -1));
  EXPECT_TRUE(weights.quantization.has_value());
}

TEST(AbsorbQuantizationTest, WeightsCutOffToFewerBitsAreTheIntegersThatRemain) {
  GraphBuilder b;
  const ValueId integers =
      b.Quantize(b.Constant({2, 1, 1, 1}, {5.0f, -4.5f}), 0.5f, 0, DataType::kInt8);
  const ValueId w = b.Dequantize(b.Clip(integers, -7, 7), 0.5f, 0, DataType::kInt8);
  b.Output(b.Conv(b.Input("x", {1, 1, 4, 4}), w));
  const Graph graph = Absorbed(b);
  const Value& weights = graph.value(Only<graph::Conv>(graph)->inputs[1]);
  ASSERT_NE(weights.constant, nullptr);
  EXPECT_THAT(weights.constant->ToInt64(), ElementsAre(7, -7));
  EXPECT_EQ(graph.nodes.size(), 1u);
}

TEST(AbsorbQuantizationTest, WhatMovesIntegersIsLiftedToTheNumbersTheyMean) {
  GraphBuilder b;
  const ValueId q = b.Quantize(b.Relu(b.Input("x", {1, 2, 4, 4})), 0.5f, 3);
  const ValueId pooled = b.MaxPool(q, {2, 2}, {2, 2});
  const ValueId real = b.Dequantize(b.Reshape(pooled, {1, 8}), 0.5f, 3);
  b.Output(b.Named("last").Sigmoid(real));
  const Graph graph = Absorbed(b);
  EXPECT_EQ(Count<graph::Quantize>(graph), 0u);
  EXPECT_EQ(Count<graph::Dequantize>(graph), 0u);
  for (const Node& node : graph.nodes) {
    if (node.name == "last") continue;
    EXPECT_EQ(graph.value(node.outputs[0]).quantization, kHalf) << node.name;
  }
}

TEST(AbsorbQuantizationTest, IntegersThatAreOnlyReadTakeTheirReadersScale) {
  GraphBuilder b;
  const ValueId x = b.Input("x", {1, 2, 4, 4}, DataType::kUint8);
  b.Output(b.Sigmoid(b.Dequantize(b.MaxPool(x, {2, 2}), 0.5f, 3)));
  const Graph graph = Absorbed(b);
  EXPECT_EQ(graph.value(graph.inputs[0]).quantization, kHalf);
  EXPECT_EQ(graph.value(Only<graph::Pool>(graph)->outputs[0]).quantization, kHalf);
}

TEST(AbsorbQuantizationTest, AClipOfIntegersIsAClipOfWhatTheyMean) {
  GraphBuilder b;
  const ValueId q = b.Quantize(b.Relu(b.Input("x", {1, 4})), 0.5f, 3, DataType::kInt8);
  b.Output(b.Dequantize(b.Named("clip").Clip(q, -5, 7), 0.5f, 3, DataType::kInt8));
  const Graph graph = Absorbed(b);
  for (const Node& node : graph.nodes) {
    if (node.name != "clip") continue;
    EXPECT_EQ(node.as<graph::Eltwise>()->activation.alpha, -4.0f);
    EXPECT_EQ(node.as<graph::Eltwise>()->activation.beta, 2.0f);
    EXPECT_TRUE(graph.value(node.inputs[0]).quantization.has_value());
  }
}

TEST(AbsorbQuantizationTest, QuantizationGoesWithTheDataAndAgainstIt) {
  GraphBuilder b;
  const ValueId y = b.Relu(b.Input("x", {1, 2, 4, 4}));
  const ValueId before = b.Transpose(y, {0, 2, 3, 1});
  const ValueId after = b.Reshape(b.QuantizeDequantize(before, 0.5f, 3, DataType::kUint8), {1, 32});
  b.Output(b.Softmax(after));
  const Graph graph = Absorbed(b);
  for (ValueId id : {y, before, after}) EXPECT_EQ(graph.value(id).quantization, kHalf);
}

TEST(AbsorbQuantizationTest, WhatTheCallerReadsAsRealNumbersStaysReal) {
  GraphBuilder b;
  const ValueId real = b.QuantizeDequantize(b.Relu(b.Input("x", {1, 4})), 0.5f, 3);
  const ValueId moved = b.Reshape(real, {4});
  b.Output(moved);
  const Graph graph = Absorbed(b);
  EXPECT_FALSE(graph.value(moved).quantization.has_value());
  EXPECT_EQ(graph.value(moved).type, DataType::kFloat32);
}

TEST(AbsorbQuantizationTest, Float16WeightsStayAndOtherReadersGetFloat32) {
  GraphBuilder b;
  const ValueId half =
      b.Constant(graph::Tensor::Of<uint16_t>(DataType::kFloat16, {1, 1, 1, 1}, {0x3C00}));
  const ValueId cast = b.Add(graph::Cast{DataType::kFloat32}, {half});
  const ValueId y = b.Conv(b.Input("x", {1, 1, 4, 4}), cast);
  b.Output(b.Sum(y, cast));
  const Graph graph = Absorbed(b);
  EXPECT_EQ(graph.nodes.size(), 2u);
  EXPECT_EQ(Only<graph::Conv>(graph)->inputs[1], half);
  const graph::Tensor* operand = graph.ConstantInput(*Only<graph::Binary>(graph), 1);
  ASSERT_NE(operand, nullptr);
  EXPECT_THAT(operand->ToFloat(), ElementsAre(1.0f));
}

TEST(AbsorbDynamicTest, ConsumersWithInt8WeightsShareOneDynamicQuantize) {
  GraphBuilder b;
  const ValueId x = b.Input("x", {graph::kUnknownDim, 1, 4, 4});
  const ValueId w = b.QuantizedWeights({2, 1, 1, 1}, {5, -7}, {0.5f, 0.25f}, 0);
  const ValueId first = b.Named("first").Conv(b.DynamicQuantizeDequantize(x), w);
  const ValueId second = b.Named("second").Conv(b.DynamicQuantizeDequantize(x), w);
  b.Output(first).Output(second);
  const Graph graph = Absorbed(b);
  const Node* quantize = Only<graph::DynamicQuantize>(graph);
  ASSERT_NE(quantize, nullptr);
  EXPECT_TRUE(quantize->as<graph::DynamicQuantize>()->per_sample);
  EXPECT_EQ(quantize->outputs.size(), 2u);
  EXPECT_EQ(Count<graph::Dequantize>(graph), 0u);
  for (const Node& node : graph.nodes) {
    if (node.as<graph::Conv>() == nullptr) continue;
    EXPECT_EQ(node.inputs[0], quantize->outputs[0]);
    EXPECT_EQ(node.input(4), quantize->outputs[1]);
    EXPECT_EQ(node.input(2), kNoValue);
  }
}

TEST(AbsorbDynamicTest, MatMulWithColumnScalesQualifies) {
  GraphBuilder b;
  const ValueId w = b.QuantizedWeights({2, 3}, {1, 2, 3, 4, 5, 6}, {1, 2, 3}, 1);
  b.Output(b.MatMul(b.DynamicQuantizeDequantize(b.Input("x", {5, 2})), w));
  EXPECT_NE(Only<graph::MatMul>(Absorbed(b))->input(4), kNoValue);
}

void ExpectLeft(GraphBuilder& b) {
  const Graph graph = Absorbed(b);
  const Node* quantize = Only<graph::DynamicQuantize>(graph);
  ASSERT_NE(quantize, nullptr);
  EXPECT_FALSE(quantize->as<graph::DynamicQuantize>()->per_sample);
  EXPECT_EQ(Count<graph::Dequantize>(graph), 1u);
}

TEST(AbsorbDynamicTest, FloatWeightsRowScalesAndOtherReadersLeaveItAlone) {
  GraphBuilder float_weights;
  float_weights.Output(float_weights.Conv(
      float_weights.DynamicQuantizeDequantize(float_weights.Input("x", {1, 1, 4, 4})),
      float_weights.Filled({1, 1, 1, 1}, 1)));
  ExpectLeft(float_weights);

  GraphBuilder rows;
  const ValueId by_row = rows.QuantizedWeights({2, 3}, {1, 2, 3, 4, 5, 6}, {1, 2}, 0);
  rows.Output(rows.MatMul(rows.DynamicQuantizeDequantize(rows.Input("x", {5, 2})), by_row));
  ExpectLeft(rows);

  GraphBuilder shared;
  const ValueId w = shared.QuantizedWeights({2, 3}, {1, 2, 3, 4, 5, 6}, {1}, 0);
  const ValueId real = shared.DynamicQuantizeDequantize(shared.Input("x", {5, 2}));
  shared.Output(shared.MatMul(real, w)).Output(shared.Relu(real));
  ExpectLeft(shared);
}

}  // namespace
}  // namespace fourfold::passes
