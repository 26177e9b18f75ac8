#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/graph/infer_shapes.h"
#include "server/graph/validate.h"
#include "server/passes/passes.h"
#include "tests/testing/graph_builder.h"

namespace fourfold::passes {
namespace {

using graph::DataType;
using graph::Graph;
using graph::Node;
using graph::ValueId;
using testing::GraphBuilder;
using testing::Only;

// Types of what each node of the operation reads first.
template <typename Op>
std::vector<DataType> Reads(const Graph& graph) {
  std::vector<DataType> types;
  for (const Node& node : graph.nodes) {
    if (node.as<Op>() != nullptr) types.push_back(graph.value(node.inputs[0]).type);
  }
  return types;
}

Graph Widened(GraphBuilder b) {
  Graph graph = b.Build();
  EXPECT_TRUE(WidenFloats(graph).ok());
  EXPECT_TRUE(graph::InferShapes(graph).ok());
  EXPECT_TRUE(graph::Validate(graph).ok()) << graph::Validate(graph);
  return graph;
}

TEST(WidenFloatsTest, HalvesAreComputedAsFloats) {
  GraphBuilder b;
  const ValueId x = b.Input("x", {2, 3}, DataType::kFloat16);
  b.Output(b.Relu(b.Sum(x, x)), "y");
  const Graph graph = Widened(std::move(b));
  EXPECT_THAT(Reads<graph::Binary>(graph), ::testing::ElementsAre(DataType::kFloat32));
  EXPECT_THAT(Reads<graph::Eltwise>(graph), ::testing::ElementsAre(DataType::kFloat32));
  EXPECT_EQ(graph.value(graph.inputs[0]).type, DataType::kFloat16);
  EXPECT_EQ(graph.value(graph.outputs[0]).type, DataType::kFloat16);
  EXPECT_EQ(graph.value(graph.outputs[0]).name, "y");
}

TEST(WidenFloatsTest, AModelOfFloatsStaysAsItIs) {
  GraphBuilder b;
  b.Output(b.Relu(b.Input("x", {2, 3})));
  EXPECT_EQ(Widened(std::move(b)).nodes.size(), 1u);
}

TEST(WidenFloatsTest, WeightsOfProductsStayHalves) {
  GraphBuilder b;
  const ValueId x = b.Input("x", {2, 3}, DataType::kFloat16);
  const ValueId w = b.Constant(
      graph::Tensor::Of(DataType::kFloat16, {3, 2}, std::vector<uint16_t>(6, 0x3c00)), "w");
  b.Output(b.MatMul(x, w));
  Graph graph = Widened(std::move(b));
  ASSERT_TRUE(Optimize(graph).ok());
  const Node* product = Only<graph::MatMul>(graph);
  ASSERT_NE(product, nullptr);
  EXPECT_EQ(graph.value(product->inputs[0]).type, DataType::kFloat32);
  EXPECT_EQ(graph.value(product->inputs[1]).type, DataType::kFloat16);
}

TEST(WidenFloatsTest, DoublesAreComputedAsFloatsInProductsOnly) {
  GraphBuilder b;
  const ValueId x = b.Input("x", {2, 2}, DataType::kFloat64);
  b.Output(b.Sum(b.MatMul(x, x), x), "y");
  const Graph graph = Widened(std::move(b));
  EXPECT_THAT(Reads<graph::MatMul>(graph), ::testing::ElementsAre(DataType::kFloat32));
  EXPECT_THAT(Reads<graph::Binary>(graph), ::testing::ElementsAre(DataType::kFloat64));
}

}  // namespace
}  // namespace fourfold::passes
