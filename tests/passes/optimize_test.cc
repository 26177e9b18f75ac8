#include <gtest/gtest.h>

#include "server/graph/validate.h"
#include "server/passes/passes.h"
#include "tests/testing/graph_builder.h"

namespace fourfold::passes {
namespace {

using graph::Graph;
using graph::kNoValue;
using graph::Node;
using graph::ValueId;
using kernels::Activation;
using testing::Count;
using testing::GraphBuilder;
using testing::Only;

ValueId NormalizedConv(GraphBuilder& b, ValueId x) {
  const ValueId y = b.Conv(x, b.Varied({2, 2, 1, 1}));
  return b.BatchNorm(y, {1, 2}, {0, 1}, {0, 0}, {1, 1});
}

TEST(OptimizeTest, ResidualBlockBecomesTwoConvolutions) {
  GraphBuilder b;
  const ValueId x = b.Input("image", {graph::kUnknownDim, 2, 4, 4});
  const ValueId inner = b.Relu(NormalizedConv(b, x));
  b.Output(b.Identity(b.Relu(b.Sum(NormalizedConv(b, inner), x))), "answer");
  Graph graph = b.Build();
  ASSERT_TRUE(Optimize(graph).ok());
  ASSERT_EQ(graph.nodes.size(), 2u) << graph::DebugText(graph);
  for (const Node& node : graph.nodes) {
    ASSERT_NE(node.as<graph::Conv>(), nullptr);
    EXPECT_EQ(node.as<graph::Conv>()->activation.kind, Activation::Kind::kRelu);
  }
  EXPECT_EQ(graph.nodes[1].input(3), x);
  EXPECT_EQ(graph.value(graph.inputs[0]).name, "image");
  EXPECT_EQ(graph.value(graph.outputs[0]).name, "answer");
}

TEST(OptimizeTest, StaticallyQuantizedBlockHasOneNodePerOperation) {
  GraphBuilder b;
  const ValueId x = b.QuantizeDequantize(b.Input("x", {1, 1, 4, 4}), 0.1f, 5);
  const ValueId y = b.Relu(b.Conv(x, b.QuantizedWeights({2, 1, 1, 1}, {3, 4}, {0.5f, 1}, 0)));
  const ValueId pooled =
      b.QuantizeDequantize(b.MaxPool(b.QuantizeDequantize(y, 0.2f, 0), {2, 2}), 0.2f, 0);
  b.Output(pooled, "answer");
  Graph graph = b.Build();
  ASSERT_TRUE(Optimize(graph).ok());
  ASSERT_EQ(graph.nodes.size(), 4u) << graph::DebugText(graph);  // Quantize, Conv, Pool, Dequantize
  EXPECT_EQ(Only<graph::Conv>(graph)->as<graph::Conv>()->activation.kind, Activation::Kind::kRelu);
  EXPECT_TRUE(graph.value(Only<graph::Conv>(graph)->outputs[0]).quantization.has_value());
  EXPECT_EQ(graph.value(graph.outputs[0]).type, graph::DataType::kFloat32);
}

TEST(OptimizeTest, HybridBlockFusesBiasResidualAndActivation) {
  GraphBuilder b;
  const ValueId x = b.Input("x", {graph::kUnknownDim, 2});
  const ValueId w = b.QuantizedWeights({2, 2}, {1, 2, 3, 4}, {0.5f, 1}, 1);
  const ValueId biased =
      b.Sum(b.MatMul(b.DynamicQuantizeDequantize(x), w), b.Constant({2}, {1, 2}));
  b.Output(b.Relu(b.Sum(biased, x)));
  Graph graph = b.Build();
  ASSERT_TRUE(Optimize(graph).ok());
  ASSERT_EQ(graph.nodes.size(), 2u) << graph::DebugText(graph);
  const Node* matmul = Only<graph::MatMul>(graph);
  ASSERT_NE(matmul, nullptr);
  EXPECT_NE(matmul->input(2), kNoValue);
  EXPECT_EQ(matmul->input(3), x);
  EXPECT_NE(matmul->input(4), kNoValue);
  EXPECT_EQ(matmul->as<graph::MatMul>()->activation.kind, Activation::Kind::kRelu);
}

TEST(OptimizeTest, TwiceIsAsOnce) {
  GraphBuilder b;
  const ValueId x = b.Input("x", {graph::kUnknownDim, 2, 4, 4});
  b.Output(b.Relu(b.Sum(NormalizedConv(b, x), x)));
  Graph graph = b.Build();
  ASSERT_TRUE(Optimize(graph).ok());
  const std::string once = graph::DebugText(graph);
  ASSERT_TRUE(Optimize(graph).ok());
  EXPECT_EQ(graph::DebugText(graph), once);
}

TEST(OptimizeTest, ReportsShapesThatDoNotFit) {
  GraphBuilder b;
  b.Output(b.Conv(b.Input("x", {1, 3, 4, 4}), b.Varied({2, 2, 1, 1})));
  Graph graph = b.BuildUnchecked();
  EXPECT_EQ(Optimize(graph).code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace fourfold::passes
