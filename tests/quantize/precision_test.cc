// The structure of the three smaller forms of a graph.

#include "server/quantize/precision.h"

#include <gmock/gmock.h>

#include "server/graph/infer_shapes.h"
#include "server/graph/validate.h"
#include "server/passes/passes.h"
#include "tests/runtime/run_graph.h"

namespace fourfold::quantize {
namespace {

using fourfold::testing::Count;
using fourfold::testing::GraphBuilder;
using fourfold::testing::Only;
using graph::DataType;
using graph::Graph;
using graph::Node;
using graph::Value;
using graph::ValueId;
using ::testing::ElementsAre;

const Node& NodeNamed(const Graph& graph, const std::string& name) {
  for (const Node& node : graph.nodes) {
    if (node.name == name) return node;
  }
  ADD_FAILURE() << "no node " << name;
  return graph.nodes.front();
}

const Value& Result(const Graph& graph, const std::string& name) {
  return graph.value(NodeNamed(graph, name).outputs[0]);
}

// All activations of a graph in [-1, 1], but for the named ones.
std::map<ValueId, Range> RangesOf(const Graph& graph,
                                  const std::map<std::string, Range>& named = {}) {
  std::map<ValueId, Range> ranges;
  for (ValueId id = 0; id < static_cast<ValueId>(graph.value_count()); ++id) {
    const Value& value = graph.value(id);
    if (value.constant != nullptr || value.type != DataType::kFloat32) continue;
    const auto found = named.find(value.name);
    ranges[id] = found == named.end() ? Range{-1, 1} : found->second;
  }
  return ranges;
}

Graph Int8(const Graph& graph, const std::map<std::string, Range>& named = {}) {
  Graph result = ToInt8(graph, RangesOf(graph, named));
  EXPECT_TRUE(graph::InferShapes(result).ok());
  const absl::Status status = graph::Validate(result);
  EXPECT_TRUE(status.ok()) << status;
  return result;
}

TEST(AffineParamsTest, ContainsZeroExactly) {
  EXPECT_EQ(AffineParams({0, 255}), (kernels::QuantParams{1.0f, 0}));
  EXPECT_EQ(AffineParams({-255, 0}), (kernels::QuantParams{1.0f, 255}));
  EXPECT_EQ(AffineParams({-51, 204}), (kernels::QuantParams{1.0f, 51}));
  EXPECT_EQ(AffineParams({5, 255}), (kernels::QuantParams{1.0f, 0})) << "widened down to 0";
  EXPECT_EQ(AffineParams({-255, -5}), (kernels::QuantParams{1.0f, 255})) << "widened up to 0";
}

TEST(AffineParamsTest, AnEmptyRangeHasScaleOne) {
  EXPECT_EQ(AffineParams({0, 0}), (kernels::QuantParams{1.0f, 0}));
  EXPECT_EQ(AffineParams({-3.4e38f, 3.4e38f}), (kernels::QuantParams{1.0f, 0}))
      << "a range that is not finite";
}

// x -> Conv_1 (ReLU) -> Pool_1 -> Conv_2 -> y
Graph ConvPoolConv() {
  GraphBuilder b;
  graph::Conv relu;
  relu.activation.kind = kernels::Activation::Kind::kRelu;
  const ValueId x = b.Input("x", {1, 2, 4, 4});
  const ValueId pool =
      b.MaxPool(b.Conv(x, b.Varied({3, 2, 1, 1}), b.Varied({3}), relu), {2, 2}, {2, 2});
  b.Output(b.Conv(pool, b.Varied({2, 3, 1, 1})), "y");
  return b.Build();
}

TEST(ToInt8Test, QuantizesEdgesBetweenIntegerOperators) {
  const Graph graph = Int8(ConvPoolConv(), {{"Conv_1", {0, 4}}, {"Pool_1", {0, 3}}});
  EXPECT_EQ(Count<graph::Quantize>(graph), 1u);
  EXPECT_EQ(Count<graph::Dequantize>(graph), 0u);
  const Value& conv = Result(graph, "Conv_1");
  const Value& pool = Result(graph, "Pool_1");
  ASSERT_TRUE(conv.quantization && pool.quantization);
  EXPECT_EQ(conv.type, DataType::kUint8);
  EXPECT_EQ(conv.quantization, pool.quantization) << "a maximum is one of its inputs";
  EXPECT_EQ(conv.quantization->params(), AffineParams({0, 4}));
}

TEST(ToInt8Test, InputsAndOutputsStayFloat) {
  const Graph before = ConvPoolConv();
  const Graph graph = Int8(before);
  EXPECT_EQ(graph.inputs, before.inputs);
  EXPECT_EQ(graph.outputs, before.outputs);
  EXPECT_FALSE(graph.value(graph.inputs[0]).quantization);
  EXPECT_FALSE(graph.value(graph.outputs[0]).quantization);
  const Node* quantize = Only<graph::Quantize>(graph);
  ASSERT_NE(quantize, nullptr);
  EXPECT_THAT(quantize->inputs, ElementsAre(graph.inputs[0]));
  EXPECT_EQ(NodeNamed(graph, "Conv_1").inputs[0], quantize->outputs[0]);
}

TEST(ToInt8Test, WeightsAreIntegersPerChannel) {
  const Graph graph = Int8(ConvPoolConv());
  const Value& weights = graph.value(NodeNamed(graph, "Conv_1").inputs[1]);
  EXPECT_EQ(weights.type, DataType::kInt8);
  ASSERT_TRUE(weights.quantization);
  EXPECT_EQ(weights.quantization->axis, 0);
  EXPECT_EQ(weights.quantization->scale.size(), 3u);
  EXPECT_FALSE(graph.value(NodeNamed(graph, "Conv_1").inputs[2]).quantization)
      << "a bias keeps its real numbers";
}

TEST(ToInt8Test, AReluThatSaturationDoesIsDropped) {
  using Kind = kernels::Activation::Kind;
  const Graph dropped = Int8(ConvPoolConv(), {{"Conv_1", {0, 4}}, {"Pool_1", {0, 4}}});
  EXPECT_EQ(NodeNamed(dropped, "Conv_1").as<graph::Conv>()->activation.kind, Kind::kNone);
  const Graph kept = Int8(ConvPoolConv(), {{"Conv_1", {-1, 4}}, {"Pool_1", {-1, 4}}});
  EXPECT_EQ(NodeNamed(kept, "Conv_1").as<graph::Conv>()->activation.kind, Kind::kRelu);
}

TEST(ToInt8Test, ConcatAndItsPartsShareOneQuantization) {
  GraphBuilder b;
  const ValueId x = b.Input("x", {1, 2, 4, 4});
  const ValueId left = b.Conv(x, b.Varied({2, 2, 1, 1}));
  const ValueId right = b.Conv(x, b.Varied({2, 2, 1, 1}));
  b.Output(b.Conv(b.Concat({left, right}, 1), b.Varied({1, 4, 1, 1})), "y");
  const Graph graph =
      Int8(b.Build(), {{"Conv_1", {-1, 2}}, {"Conv_2", {-8, 1}}, {"Concat_1", {-8, 2}}});
  EXPECT_EQ(Result(graph, "Concat_1").quantization->params(), AffineParams({-8, 2}));
  EXPECT_EQ(Result(graph, "Conv_1").quantization, Result(graph, "Concat_1").quantization);
  EXPECT_EQ(Result(graph, "Conv_2").quantization, Result(graph, "Concat_1").quantization);
}

TEST(ToInt8Test, OperandsOfAnAdditionHaveTheirOwnQuantization) {
  GraphBuilder b;
  const ValueId x = b.Input("x", {1, 2, 4, 4});
  const ValueId left = b.Conv(x, b.Varied({2, 2, 1, 1}));
  const ValueId sum = b.Sum(left, x);
  b.Output(b.Conv(sum, b.Varied({1, 2, 1, 1})), "y");
  const Graph graph = Int8(b.Build(), {{"Conv_1", {-2, 2}}, {"Binary_1", {-3, 3}}});
  EXPECT_EQ(Result(graph, "Conv_1").quantization->params(), AffineParams({-2, 2}));
  EXPECT_EQ(Result(graph, "Binary_1").quantization->params(), AffineParams({-3, 3}));
  EXPECT_EQ(Count<graph::Quantize>(graph), 1u) << "both readers of x share its twin";
  EXPECT_EQ(NodeNamed(graph, "Binary_1").inputs[1], Only<graph::Quantize>(graph)->outputs[0]);
}

TEST(ToInt8Test, AnOutputThatIsReadOnGetsATwin) {
  GraphBuilder b;
  const ValueId x = b.Input("x", {1, 2, 4, 4});
  const ValueId middle = b.Conv(x, b.Varied({2, 2, 1, 1}));
  b.Output(middle, "middle").Output(b.Conv(middle, b.Varied({1, 2, 1, 1})), "y");
  const Graph graph = Int8(b.Build());
  EXPECT_FALSE(graph.value(graph.outputs[0]).quantization);
  EXPECT_EQ(Count<graph::Quantize>(graph), 2u);
  const Value& read = graph.value(NodeNamed(graph, "Conv_2").inputs[0]);
  EXPECT_TRUE(read.quantization);
  EXPECT_NE(read.name, "middle");
}

TEST(ToInt8Test, WhatOnlyFloatOperatorsReadStaysFloat) {
  GraphBuilder b;
  const ValueId x = b.Input("x", {1, 4});
  const ValueId y = b.MatMul(x, b.Varied({4, 3}));
  b.Output(b.Softmax(y), "y");
  const Graph graph = Int8(b.Build());
  EXPECT_FALSE(Result(graph, "MatMul_1").quantization);
}

TEST(ToInt8Test, ABiasIsAnExactNumberOfSteps) {
  GraphBuilder b;
  const ValueId x = b.Input("x", {1, 2});
  b.Output(b.MatMul(x, b.Constant({2, 2}, {1e-9f, 1, 1e-9f, 1}), b.Constant({2}, {100, 100})), "y");
  const Graph graph = Int8(b.Build());
  const Node& node = NodeNamed(graph, "MatMul_1");
  const float x_scale = graph.value(node.inputs[0]).quantization->scale[0];
  for (float scale : graph.value(node.inputs[1]).quantization->scale) {
    EXPECT_LE(100 / (x_scale * scale), 4194304.5f) << "2^22 steps";
  }
}

TEST(ToInt8Test, AnIntegerModelIsNotTouchedAgain) {
  const Graph once = Int8(ConvPoolConv());
  const Graph twice = ToInt8(once, RangesOf(once));
  EXPECT_EQ(twice.nodes.size(), once.nodes.size());
}

TEST(ToHybridTest, OneQuantizationServesAllReaders) {
  GraphBuilder b;
  const ValueId x = b.Input("x", {1, 2, 4, 4});
  const ValueId w = b.Varied({3, 2, 1, 1});
  b.Output(b.Conv(x, w)).Output(b.Conv(x, w, b.Varied({3}))).Output(b.Relu(x));
  Graph graph = ToHybrid(b.Build());
  const Node* quantize = Only<graph::DynamicQuantize>(graph);
  ASSERT_NE(quantize, nullptr);
  EXPECT_TRUE(quantize->as<graph::DynamicQuantize>()->per_sample);
  for (const char* name : {"Conv_1", "Conv_2"}) {
    const Node& conv = NodeNamed(graph, name);
    EXPECT_EQ(conv.inputs[0], quantize->outputs[0]);
    EXPECT_EQ(conv.inputs[4], quantize->outputs[1]);
  }
  EXPECT_EQ(NodeNamed(graph, "Conv_1").inputs[1], NodeNamed(graph, "Conv_2").inputs[1])
      << "shared weights stay shared";
  EXPECT_EQ(NodeNamed(graph, "Eltwise_1").inputs[0], graph.inputs[0]) << "others read real numbers";
  EXPECT_TRUE(graph::InferShapes(graph).ok());
  EXPECT_TRUE(graph::Validate(graph).ok());
}

TEST(ToHybridTest, AComputedBiasKeepsItsProductFloat) {
  GraphBuilder b;
  const ValueId x = b.Input("x", {1, 2});
  b.Output(b.MatMul(x, b.Constant({2, 2}, {1, 2, 3, 4}), b.Input("c", {1, 2})));
  const Graph graph = ToHybrid(b.Build());
  EXPECT_EQ(Count<graph::DynamicQuantize>(graph), 0u);
  EXPECT_THAT(fourfold::testing::RunFloat(graph, {{1, 10}, {0.5f, 0}}), ElementsAre(31.5f, 42));
}

TEST(ToFloat16Test, KeepsWhatHalvesCannotHold) {
  GraphBuilder b;
  const ValueId x = b.Input("x", {1, 2});
  const ValueId y = b.MatMul(x, b.Constant({2, 2}, {65504, 0, -65504, 1}, "fits"));
  b.Output(b.MatMul(y, b.Constant({2, 1}, {65505, 0}, "large")));
  std::vector<std::string> kept;
  const Graph graph = ToFloat16(b.Build(), &kept);
  EXPECT_THAT(kept, ElementsAre("large"));
  EXPECT_EQ(graph.value(NodeNamed(graph, "MatMul_1").inputs[1]).type, DataType::kFloat16);
  EXPECT_EQ(graph.value(NodeNamed(graph, "MatMul_2").inputs[1]).type, DataType::kFloat32);
}

TEST(ToFloat16Test, SharedWeightsStayShared) {
  GraphBuilder b;
  const ValueId x = b.Input("x", {1, 2});
  const ValueId w = b.Varied({2, 2});
  b.Output(b.MatMul(b.MatMul(x, w), w));
  const Graph graph = ToFloat16(b.Build(), nullptr);
  EXPECT_EQ(NodeNamed(graph, "MatMul_1").inputs[1], NodeNamed(graph, "MatMul_2").inputs[1]);
}

}  // namespace
}  // namespace fourfold::quantize
