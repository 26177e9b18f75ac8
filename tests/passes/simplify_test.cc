// Passes that only make a graph smaller.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/graph/validate.h"
#include "server/passes/passes.h"
#include "tests/testing/graph_builder.h"

namespace fourfold::passes {
namespace {

using graph::Graph;
using graph::ValueId;
using testing::Count;
using ::testing::ElementsAre;
using testing::GraphBuilder;
using testing::Only;

Graph After(absl::Status (*pass)(Graph&), GraphBuilder& b) {
  Graph graph = b.Build();
  EXPECT_TRUE(pass(graph).ok());
  const absl::Status valid = graph::Validate(graph);
  EXPECT_TRUE(valid.ok()) << valid;
  return graph;
}

TEST(RemoveIdentityTest, ReadersReadTheSource) {
  GraphBuilder b;
  const ValueId y = b.Relu(b.Input("x", {2}));
  b.Output(b.Sigmoid(b.Identity(b.Identity(y))));
  const Graph graph = After(RemoveIdentity, b);
  ASSERT_EQ(graph.nodes.size(), 2u);
  EXPECT_EQ(graph.nodes[1].inputs[0], y);
}

TEST(RemoveIdentityTest, GraphOutputKeepsItsName) {
  GraphBuilder b;
  const ValueId y = b.Relu(b.Input("x", {2}));
  b.Output(b.Identity(y), "answer").Output(b.Sigmoid(y), "other");
  const Graph graph = After(RemoveIdentity, b);
  ASSERT_EQ(graph.nodes.size(), 2u);
  EXPECT_EQ(graph.value(graph.nodes[0].outputs[0]).name, "answer");
  EXPECT_EQ(graph.nodes[1].inputs[0], graph.outputs[0]);
}

TEST(RemoveIdentityTest, InputPassedThroughAndOutputsOfOneValueStay) {
  GraphBuilder through;
  through.Output(through.Identity(through.Input("x", {2})), "y");
  EXPECT_EQ(After(RemoveIdentity, through).nodes.size(), 1u);
  GraphBuilder two;
  const ValueId y = two.Relu(two.Input("x", {2}));
  two.Output(two.Identity(y), "a").Output(two.Identity(y), "b");
  const Graph graph = After(RemoveIdentity, two);
  EXPECT_EQ(graph.nodes.size(), 2u);
  EXPECT_EQ(graph.value(graph.outputs[0]).name, "a");
  EXPECT_EQ(graph.value(graph.outputs[1]).name, "b");
}

TEST(CancelTransposesTest, OppositePairVanishes) {
  GraphBuilder b;
  const ValueId x = b.Relu(b.Input("x", {1, 2, 3, 4}));
  b.Output(b.Sigmoid(b.Transpose(b.Transpose(x, {0, 2, 3, 1}), {0, 3, 1, 2})));
  Graph graph = After(CancelTransposes, b);
  EXPECT_EQ(graph.nodes.back().inputs[0], x);
}

TEST(CancelTransposesTest, OthersCombine) {
  GraphBuilder b;
  const ValueId x = b.Input("x", {1, 2, 3});
  const ValueId y = b.Transpose(b.Transpose(x, {1, 2, 0}), {});
  b.Output(y);
  const Graph graph = After(CancelTransposes, b);
  EXPECT_EQ(graph.nodes.back().inputs[0], x);
  // The first gives [2, 3, 1], its reverse is [1, 3, 2].
  EXPECT_THAT(graph.nodes.back().as<graph::Transpose>()->permutation, ElementsAre(0, 2, 1));
}

TEST(CancelTransposesTest, RequantizationBetweenThemStays) {
  GraphBuilder b;
  const ValueId middle = b.Transpose(b.Input("x", {2, 3}), {1, 0});
  b.value(middle).type = graph::DataType::kUint8;
  b.value(middle).quantization = graph::Quantization{{0.5f}, {0}, -1};
  b.Output(b.Transpose(middle, {1, 0}));
  EXPECT_EQ(Count<graph::Transpose>(After(CancelTransposes, b)), 2u);
}

TEST(FoldConstantsTest, ConstantArithmeticBecomesAConstant) {
  GraphBuilder b;
  const ValueId w = b.Reshape(b.Product(b.Constant({4}, {1, 2, 3, 4}), b.Scalar(2)), {2, 2});
  b.Output(b.MatMul(b.Input("x", {1, 2}), w));
  Graph graph = After(FoldConstants, b);
  ASSERT_EQ(graph.nodes.size(), 1u);
  EXPECT_THAT(graph.ConstantInput(graph.nodes[0], 1)->ToFloat(), ElementsAre(2, 4, 6, 8));
}

TEST(FoldConstantsTest, StoredWeightsStayPacked) {
  GraphBuilder b;
  b.Output(b.Conv(b.Input("x", {1, 1, 2, 2}), b.QuantizedWeights({1, 1, 1, 1}, {3}, {0.5f}, 0)));
  EXPECT_EQ(Count<graph::Dequantize>(After(FoldConstants, b)), 1u);
}

TEST(FoldConstantsTest, TransposedIntegerWeightsMoveTheirAxis) {
  GraphBuilder b;
  const ValueId w = b.Bytes(graph::DataType::kInt8, {3, 2}, {1, 2, 3, 4, 5, 6});
  b.value(w).quantization = graph::Quantization{{1, 2, 3}, {0, 0, 0}, 0};
  b.Output(b.MatMul(b.Input("x", {1, 2}), b.Transpose(w, {1, 0})));
  const Graph graph = After(FoldConstants, b);
  ASSERT_EQ(graph.nodes.size(), 1u);
  const graph::Value& folded = graph.value(graph.nodes[0].inputs[1]);
  EXPECT_THAT(folded.constant->ToInt64(), ElementsAre(1, 3, 5, 2, 4, 6));
  EXPECT_EQ(folded.quantization->axis, 1);
}

}  // namespace
}  // namespace fourfold::passes
