// Transposes move behind what does not care, and what is computed stays the same.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/graph/infer_shapes.h"
#include "server/graph/validate.h"
#include "server/passes/passes.h"
#include "tests/runtime/run_graph.h"
#include "tests/testing/graph_builder.h"

namespace fourfold::passes {
namespace {

using graph::Graph;
using graph::ValueId;
using testing::Count;
using ::testing::ElementsAre;
using testing::GraphBuilder;
using testing::Only;

const std::vector<int64_t> kLast = {0, 2, 3, 1};   // N,C,H,W to N,H,W,C
const std::vector<int64_t> kFirst = {0, 3, 1, 2};  // and back

// Both passes; answers before and after are compared on 1, 2, 3, ...
Graph Sunk(GraphBuilder& b) {
  Graph graph = b.Build();
  std::vector<std::vector<float>> inputs;
  for (ValueId id : graph.inputs) {
    std::vector<float>& input = inputs.emplace_back();
    for (int64_t i = 0; i < graph::ElementCount(*graph.value(id).shape); ++i)
      input.push_back(static_cast<float>(i % 23) - 7.5f);
  }
  const std::vector<float> before = testing::RunFloat(graph, inputs);
  EXPECT_TRUE(SinkTransposes(graph).ok());
  EXPECT_TRUE(CancelTransposes(graph).ok());
  graph::RemoveDeadNodes(graph);
  const absl::Status inferred = graph::InferShapes(graph);
  EXPECT_TRUE(inferred.ok()) << inferred;
  const absl::Status valid = graph::Validate(graph);
  EXPECT_TRUE(valid.ok()) << valid;
  EXPECT_EQ(testing::RunFloat(graph, inputs), before) << graph::DebugText(graph);
  return graph;
}

TEST(SinkTransposesTest, ElementwiseChainBetweenOppositePairs) {
  GraphBuilder b;
  const ValueId x = b.Transpose(b.Input("x", {1, 3, 2, 4}), kLast);
  b.Output(b.Transpose(b.Sigmoid(b.Relu(x)), kFirst));
  EXPECT_EQ(Count<graph::Transpose>(Sunk(b)), 0u);
}

TEST(SinkTransposesTest, SumOfTwoTransposed) {
  GraphBuilder b;
  const ValueId x = b.Input("x", {1, 3, 2, 4}), y = b.Input("y", {1, 3, 2, 4});
  b.Output(b.Transpose(b.Sum(b.Transpose(x, kLast), b.Transpose(y, kLast)), kFirst));
  const Graph graph = Sunk(b);
  EXPECT_EQ(Count<graph::Transpose>(graph), 0u);
  EXPECT_EQ(Only<graph::Binary>(graph)->inputs, (std::vector<ValueId>{x, y}));
}

TEST(SinkTransposesTest, SumWithAnotherOrderStays) {
  GraphBuilder b;
  const ValueId x = b.Input("x", {1, 3, 3, 3}), y = b.Input("y", {1, 3, 3, 3});
  b.Output(b.Transpose(b.Sum(b.Transpose(x, kLast), b.Transpose(y, {0, 3, 2, 1})), kFirst));
  EXPECT_EQ(Count<graph::Transpose>(Sunk(b)), 3u);
  GraphBuilder plain;
  const ValueId z = plain.Input("z", {1, 3, 3, 3});
  plain.Output(plain.Sum(plain.Transpose(z, kLast), z));
  EXPECT_EQ(Count<graph::Transpose>(Sunk(plain)), 1u);
}

TEST(SinkTransposesTest, ConstantOperandsMoveAlong) {
  GraphBuilder b;
  const ValueId x = b.Transpose(b.Input("x", {1, 3, 2, 4}), kLast);
  const ValueId per_channel = b.Sum(x, b.Varied({3}));
  const ValueId per_pixel = b.Product(per_channel, b.Varied({2, 4, 3}));
  b.Output(b.Transpose(b.Sum(per_pixel, b.Scalar(2.0f)), kFirst));
  EXPECT_EQ(Count<graph::Transpose>(Sunk(b)), 0u);
}

TEST(SinkTransposesTest, ConcatAlongTheSourcesAxis) {
  GraphBuilder b;
  const ValueId x = b.Transpose(b.Input("x", {1, 3, 2, 4}), kLast);
  const ValueId y = b.Transpose(b.Input("y", {1, 5, 2, 4}), kLast);
  b.Output(b.Transpose(b.Concat({x, y}, -1), kFirst));
  const Graph graph = Sunk(b);
  EXPECT_EQ(Count<graph::Transpose>(graph), 0u);
  EXPECT_EQ(Only<graph::Concat>(graph)->as<graph::Concat>()->axis, 1);
}

TEST(SinkTransposesTest, PadsOfTheSourcesDimensions) {
  GraphBuilder b;
  const ValueId x = b.Transpose(b.Input("x", {1, 3, 2, 4}), kLast);
  const ValueId padded = b.Add(graph::Pad{}, {x, b.Integers({0, 1, 2, 0, 0, 3, 4, 5})});
  b.Output(b.Transpose(padded, kFirst));
  const Graph graph = Sunk(b);
  EXPECT_EQ(Count<graph::Transpose>(graph), 0u);
  EXPECT_EQ(*graph.value(graph.outputs[0]).shape, (graph::Shape{1, 8, 6, 10}));
}

TEST(SinkTransposesTest, SliceOfTheSourcesDimensions) {
  GraphBuilder with_axes, without;
  const ValueId x = with_axes.Transpose(with_axes.Input("x", {1, 3, 2, 4}), kLast);
  with_axes.Output(with_axes.Transpose(
      with_axes.Add(graph::Slice{}, {x, with_axes.Integers({1, 0}), with_axes.Integers({3, 1}),
                                     with_axes.Integers({-1, 1})}),
      kFirst));
  const Graph graph = Sunk(with_axes);
  EXPECT_EQ(Count<graph::Transpose>(graph), 0u);
  EXPECT_EQ(*graph.value(graph.outputs[0]).shape, (graph::Shape{1, 2, 1, 4}));
  const ValueId y = without.Transpose(without.Input("y", {2, 3, 2, 4}), kLast);
  without.Output(without.Transpose(
      without.Add(graph::Slice{}, {y, without.Integers({0, 1}), without.Integers({1, 2})}),
      kFirst));
  EXPECT_EQ(Count<graph::Transpose>(Sunk(without)), 0u);
}

TEST(SinkTransposesTest, ReductionOverImages) {
  GraphBuilder kept, removed;
  const ValueId x = kept.Transpose(kept.Input("x", {2, 3, 2, 4}), kLast);
  kept.Output(kept.Transpose(
      kept.Add(graph::Reduce{.operation = graph::Reduce::Operation::kMean, .axes = {1, 2}}, {x}),
      kFirst));
  const Graph graph = Sunk(kept);
  EXPECT_EQ(Count<graph::Transpose>(graph), 0u);
  EXPECT_THAT(Only<graph::Reduce>(graph)->as<graph::Reduce>()->axes, ElementsAre(2, 3));
  const ValueId y = removed.Transpose(removed.Input("y", {2, 3, 2, 4}), kLast);
  graph::Reduce reduce{.operation = graph::Reduce::Operation::kMax, .axes = {-3, -2}};
  reduce.keep_dims = false;
  removed.Output(removed.Add(reduce, {y}));
  EXPECT_EQ(Count<graph::Transpose>(Sunk(removed)), 0u);  // [N, C] either way
}

TEST(SinkTransposesTest, ReductionThatLeavesAnotherOrder) {
  GraphBuilder b;
  const ValueId x = b.Transpose(b.Input("x", {2, 3, 2, 4}), kLast);
  graph::Reduce reduce{.operation = graph::Reduce::Operation::kSum, .axes = {1}};
  reduce.keep_dims = false;
  b.Output(b.Add(reduce, {x}));  // [N, W, C] of [N, C, W]
  const Graph graph = Sunk(b);
  ASSERT_EQ(Count<graph::Transpose>(graph), 1u);
  EXPECT_THAT(Only<graph::Transpose>(graph)->as<graph::Transpose>()->permutation,
              ElementsAre(0, 2, 1));
}

TEST(SinkTransposesTest, WhatNeedsItsOrderKeepsItsTranspose) {
  GraphBuilder b;
  const ValueId x = b.Transpose(b.Input("x", {1, 3, 2, 4}), kLast);
  b.Output(b.Reshape(b.Relu(x), {1, 24}));
  const Graph graph = Sunk(b);
  ASSERT_EQ(graph.nodes.size(), 3u);
  EXPECT_NE(graph.nodes[1].as<graph::Transpose>(), nullptr);  // behind Relu now
}

TEST(SinkTransposesTest, OutputsKeepTheirNamesAndOrder) {
  GraphBuilder b;
  const ValueId x = b.Transpose(b.Input("x", {1, 3, 2, 4}), kLast);
  b.Output(b.Relu(x), "answer");
  const Graph graph = Sunk(b);
  EXPECT_EQ(graph.value(graph.outputs[0]).name, "answer");
  EXPECT_EQ(*graph.value(graph.outputs[0]).shape, (graph::Shape{1, 2, 4, 3}));
}

// A residual block of a channels-last file: the addition becomes the second convolution's.
TEST(SinkTransposesTest, ResidualsAreFusedThroughThem) {
  GraphBuilder b;
  const ValueId x = b.Input("x", {1, 4, 4, 2});
  const ValueId w = b.Varied({2, 2, 1, 1}), v = b.Varied({2, 2, 1, 1});
  const ValueId first = b.Relu(b.Transpose(b.Conv(b.Transpose(x, kFirst), w), kLast));
  const ValueId second = b.Transpose(b.Conv(b.Transpose(first, kFirst), v), kLast);
  const ValueId sum = b.Relu(b.Sum(first, second));
  b.Output(b.Transpose(b.Conv(b.Transpose(sum, kFirst), w), kLast));
  Graph graph = b.Build();
  ASSERT_TRUE(Optimize(graph).ok());
  EXPECT_EQ(Count<graph::Transpose>(graph), 2u);  // of input and output
  EXPECT_EQ(Count<graph::Binary>(graph), 0u);
  EXPECT_EQ(Count<graph::Eltwise>(graph), 0u);
}

TEST(SinkTransposesTest, QuantizationTravelsAlong) {
  GraphBuilder b;
  const ValueId x = b.QuantizeDequantize(b.Input("x", {1, 3, 2, 4}), 0.1f, 3);
  const ValueId turned = b.QuantizeDequantize(b.Transpose(x, kLast), 0.1f, 3);
  const ValueId active = b.QuantizeDequantize(b.Relu(turned), 0.2f, 0);
  const ValueId back = b.QuantizeDequantize(b.Transpose(active, kFirst), 0.2f, 0);
  b.Output(b.MaxPool(back, {2, 2}));
  Graph graph = b.Build();
  ASSERT_TRUE(Optimize(graph).ok());
  EXPECT_EQ(Count<graph::Transpose>(graph), 0u) << graph::DebugText(graph);
  const graph::Node* relu = Only<graph::Eltwise>(graph);
  ASSERT_NE(relu, nullptr);
  EXPECT_EQ(graph.value(relu->outputs[0]).quantization->scale[0], 0.2f);
}

}  // namespace
}  // namespace fourfold::passes
