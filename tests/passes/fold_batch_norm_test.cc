#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/graph/infer_shapes.h"
#include "server/graph/validate.h"
#include "server/passes/passes.h"
#include "tests/testing/graph_builder.h"

namespace fourfold::passes {
namespace {

using graph::Binary;
using graph::Graph;
using graph::kNoValue;
using graph::Node;
using graph::ValueId;
using testing::Count;
using ::testing::ElementsAre;
using ::testing::FloatNear;
using testing::GraphBuilder;
using testing::Only;

Graph Folded(GraphBuilder& b) {
  Graph graph = b.Build();
  EXPECT_TRUE(FoldBatchNorm(graph).ok());
  const absl::Status valid = graph::Validate(graph);
  EXPECT_TRUE(valid.ok()) << valid;
  return graph;
}

std::vector<float> InputOf(const Graph& graph, const Node& node, size_t i) {
  const graph::Tensor* constant = graph.ConstantInput(node, i);
  return constant == nullptr ? std::vector<float>{} : constant->ToFloat();
}

// x [1, 1, 2, 2] through a 1x1 convolution to 2 channels with weights {1, 2}.
ValueId TwoChannels(GraphBuilder& b, bool with_bias = false) {
  return b.Conv(b.Input("x", {1, 1, 2, 2}), b.Constant({2, 1, 1, 1}, {1, 2}),
                with_bias ? b.Constant({2}, {10, 20}) : b.kNone);
}

TEST(FoldBatchNormTest, ScalesWeightsAndShiftsBias) {
  GraphBuilder b;
  // scale / sqrt(variance) = {2 / 2, 3 / 1}; bias' = (bias - mean) * that + shift.
  b.Output(b.BatchNorm(TwoChannels(b, true), {2, 3}, {1, -1}, {4, 5}, {4, 1}, 0.0f), "y");
  const Graph graph = Folded(b);
  ASSERT_EQ(graph.nodes.size(), 1u);
  EXPECT_THAT(InputOf(graph, graph.nodes[0], 1), ElementsAre(1, 6));
  EXPECT_THAT(InputOf(graph, graph.nodes[0], 2), ElementsAre(7, 44));
  EXPECT_EQ(graph.value(graph.nodes[0].outputs[0]).name, "y");
}

TEST(FoldBatchNormTest, CountsEpsilon) {
  GraphBuilder b;
  b.Output(b.BatchNorm(TwoChannels(b), {1, 1}, {0, 0}, {0, 0}, {3, 0}, 1.0f));
  const Graph graph = Folded(b);
  EXPECT_THAT(InputOf(graph, graph.nodes[0], 1),
              ElementsAre(FloatNear(0.5f, 1e-6f), FloatNear(2.0f, 1e-6f)));
}

TEST(FoldBatchNormTest, ChainOfArithmeticPerChannelFolds) {
  GraphBuilder b;
  const ValueId scaled = b.Product(TwoChannels(b), b.Constant({2, 1, 1}, {3, 4}));
  const ValueId shifted = b.Sum(b.Constant({1, 2, 1, 1}, {5, 6}), scaled);
  b.Output(b.Binary(Binary::Operation::kSub, shifted, b.Scalar(1)));
  const Graph graph = Folded(b);
  ASSERT_EQ(graph.nodes.size(), 1u);
  EXPECT_THAT(InputOf(graph, graph.nodes[0], 1), ElementsAre(3, 8));
  EXPECT_THAT(InputOf(graph, graph.nodes[0], 2), ElementsAre(4, 5));
}

TEST(FoldBatchNormTest, AdditionBehindMatMulBecomesItsBias) {
  for (const graph::Shape& shape : {graph::Shape{3}, graph::Shape{1, 3}}) {
    GraphBuilder b;
    const ValueId y = b.MatMul(b.Input("x", {4, 2}), b.Filled({2, 3}, 1));
    b.Output(b.Sum(y, b.Constant(shape, {1, 2, 3})));
    const Graph graph = Folded(b);
    ASSERT_EQ(graph.nodes.size(), 1u);
    EXPECT_THAT(InputOf(graph, graph.nodes[0], 2), ElementsAre(1, 2, 3));
  }
}

TEST(FoldBatchNormTest, MultiplicationFollowsTransposedMatMulWeights) {
  GraphBuilder b;
  const ValueId y = b.MatMul(b.Input("x", {4, 2}), b.Constant({3, 2}, {1, 1, 1, 1, 1, 1}), b.kNone,
                             {false, true, {}});
  b.Output(b.Product(y, b.Constant({3}, {1, 2, 3})));
  const Graph graph = Folded(b);
  ASSERT_EQ(graph.nodes.size(), 1u);
  EXPECT_THAT(InputOf(graph, graph.nodes[0], 1), ElementsAre(1, 1, 2, 2, 3, 3));
}

TEST(FoldBatchNormTest, SharedWeightsOfAnotherConvolutionStay) {
  GraphBuilder b;
  const ValueId x = b.Input("x", {1, 1, 2, 2}), w = b.Constant({1, 1, 1, 1}, {2});
  b.Output(b.Product(b.Conv(x, w), b.Scalar(5))).Output(b.Named("other").Conv(x, w));
  const Graph graph = Folded(b);
  ASSERT_EQ(graph.nodes.size(), 2u);
  EXPECT_THAT(InputOf(graph, graph.nodes[0], 1), ElementsAre(10));
  EXPECT_THAT(InputOf(graph, graph.nodes[1], 1), ElementsAre(2));
}

TEST(FoldBatchNormTest, BatchNormElsewhereBecomesMultiplicationAndAddition) {
  GraphBuilder b;
  b.Output(b.Named("bn").BatchNorm(b.Relu(b.Input("x", {1, 2, 3, 3})), {2, 3}, {1, -1}, {4, 5},
                                   {4, 1}, 0.0f),
           "y");
  const Graph graph = Folded(b);
  ASSERT_EQ(graph.nodes.size(), 3u);
  EXPECT_EQ(graph.nodes[1].as<Binary>()->operation, Binary::Operation::kMul);
  EXPECT_EQ(graph.nodes[2].as<Binary>()->operation, Binary::Operation::kAdd);
  EXPECT_EQ(graph.ConstantInput(graph.nodes[1], 1)->shape(), (graph::Shape{2, 1, 1}));
  EXPECT_THAT(InputOf(graph, graph.nodes[1], 1), ElementsAre(1, 3));
  EXPECT_THAT(InputOf(graph, graph.nodes[2], 1), ElementsAre(-3, -16));
  EXPECT_EQ(graph.value(graph.outputs[0]).name, "y");
}

void ExpectLeft(GraphBuilder& b) {
  const Graph graph = Folded(b);
  EXPECT_EQ(Count<Binary>(graph), 1u);
  const Node* conv = Only<graph::Conv>(graph);
  ASSERT_NE(conv, nullptr);
  EXPECT_EQ(conv->input(2), kNoValue);
}

TEST(FoldBatchNormTest, WhatIsNotPerChannelStays) {
  GraphBuilder along_width;  // [2] broadcasts along the last dimension
  along_width.Output(along_width.Sum(TwoChannels(along_width), along_width.Constant({2}, {1, 2})));
  ExpectLeft(along_width);
  GraphBuilder growing;  // the constant makes the result larger
  growing.Output(growing.Sum(TwoChannels(growing), growing.Filled({3, 2, 1, 1}, 1)));
  ExpectLeft(growing);
  GraphBuilder maximum;
  maximum.Output(maximum.Binary(Binary::Operation::kMax, TwoChannels(maximum), maximum.Scalar(1)));
  ExpectLeft(maximum);
}

TEST(FoldBatchNormTest, ValuesThatOthersReadStay) {
  GraphBuilder twice;
  const ValueId y = TwoChannels(twice);
  twice.Output(twice.Sum(y, twice.Scalar(1))).Output(twice.Relu(y));
  ExpectLeft(twice);
  GraphBuilder output;
  const ValueId z = TwoChannels(output);
  output.Output(z).Output(output.Sum(z, output.Scalar(1)));
  ExpectLeft(output);
}

TEST(FoldBatchNormTest, QuantizedWeightsTakeAnAdditionButNoMultiplication) {
  for (const auto operation : {Binary::Operation::kAdd, Binary::Operation::kMul}) {
    GraphBuilder b;
    const ValueId w = b.Bytes(graph::DataType::kInt8, {2, 1, 1, 1}, {1, 2});
    b.value(w).quantization = graph::Quantization{{0.5f}, {0}, -1};
    b.Output(b.Binary(operation, b.Conv(b.Input("x", {1, 1, 2, 2}), w), b.Scalar(3)));
    EXPECT_EQ(Folded(b).nodes.size(), operation == Binary::Operation::kAdd ? 1u : 2u);
  }
}

TEST(FoldBatchNormTest, QuantizedIntermediateStays) {
  GraphBuilder b;
  const ValueId y = TwoChannels(b);
  b.value(y).type = graph::DataType::kUint8;
  b.value(y).quantization = graph::Quantization{{0.5f}, {0}, -1};
  b.Output(b.Sum(y, b.Scalar(1)));
  ExpectLeft(b);
}

TEST(FoldBatchNormTest, ComputedParametersBecomeArithmetic) {
  for (const graph::Shape& shape : {graph::Shape{1, 2, 3, 3}, graph::Shape{4, 2}}) {
    GraphBuilder b;
    const ValueId x = b.Input("x", shape);
    std::vector<ValueId> inputs = {x};
    for (const char* name : {"scale", "bias", "mean", "variance"})
      inputs.push_back(b.Input(name, {2}));
    b.Output(b.Add(graph::BatchNorm{1e-3f}, inputs), "y");
    Graph graph = Folded(b);
    EXPECT_EQ(Count<graph::BatchNorm>(graph), 0u);
    EXPECT_EQ(Count<graph::Unsqueeze>(graph), shape.size() == 4 ? 2u : 0u);
    EXPECT_EQ(graph.value(graph.nodes.back().outputs[0]).name, "y");
    ASSERT_TRUE(graph::InferShapes(graph).ok());
    EXPECT_EQ(graph.value(graph.outputs[0]).shape, shape);
  }
}

}  // namespace
}  // namespace fourfold::passes
