// Activations and residuals go into the node that computes their operand.
#include <gtest/gtest.h>

#include "server/graph/validate.h"
#include "server/passes/passes.h"
#include "tests/testing/graph_builder.h"

namespace fourfold::passes {
namespace {

using graph::Binary;
using graph::Eltwise;
using graph::Graph;
using graph::kNoValue;
using graph::Node;
using graph::ValueId;
using kernels::Activation;
using testing::Count;
using testing::GraphBuilder;
using testing::Only;

Graph After(absl::Status (*pass)(Graph&), GraphBuilder& b) {
  Graph graph = b.Build();
  EXPECT_TRUE(pass(graph).ok());
  const absl::Status valid = graph::Validate(graph);
  EXPECT_TRUE(valid.ok()) << valid;
  return graph;
}

void Quantize(GraphBuilder& b, ValueId id) {
  b.value(id).type = graph::DataType::kUint8;
  b.value(id).quantization = graph::Quantization{{0.5f}, {0}, -1};
}

ValueId SomeConv(GraphBuilder& b, ValueId x) { return b.Conv(x, b.Filled({2, 2, 1, 1}, 1)); }
ValueId SomeInput(GraphBuilder& b) { return b.Input("x", {graph::kUnknownDim, 2, 4, 4}); }

TEST(FuseActivationsTest, GoesIntoConvMatMulAndBinary) {
  GraphBuilder conv;
  conv.Output(conv.Clip(SomeConv(conv, SomeInput(conv)), 0, 6), "y");
  const Graph fused = After(FuseActivations, conv);
  ASSERT_EQ(fused.nodes.size(), 1u);
  EXPECT_EQ(fused.nodes[0].as<graph::Conv>()->activation,
            (Activation{Activation::Kind::kClip, 0, 6}));
  EXPECT_EQ(fused.value(fused.nodes[0].outputs[0]).name, "y");

  GraphBuilder matmul;
  matmul.Output(matmul.Sigmoid(matmul.MatMul(matmul.Input("x", {1, 2}), matmul.Filled({2, 2}, 1))));
  EXPECT_EQ(After(FuseActivations, matmul).nodes.size(), 1u);

  GraphBuilder binary;
  binary.Output(binary.Relu(binary.Sum(binary.Input("x", {1, 2}), binary.Input("y", {1, 2}))));
  EXPECT_EQ(After(FuseActivations, binary).nodes.size(), 1u);
}

TEST(FuseActivationsTest, MishIsNamed) {
  GraphBuilder b;
  const ValueId x = b.Input("x", {1, 2});
  const ValueId softplus = b.Eltwise(x, Eltwise::Function::kSoftplus);
  const ValueId gate = b.Activation(softplus, {Activation::Kind::kTanh, 0, 0});
  b.Output(b.Product(gate, x), "y");
  const Graph graph = After(FuseActivations, b);
  ASSERT_EQ(graph.nodes.size(), 2u);  // and the Softplus, which nobody reads
  EXPECT_EQ(graph.nodes[1].as<Eltwise>()->function, Eltwise::Function::kMish);
  EXPECT_EQ(graph.nodes[1].inputs, std::vector<ValueId>{x});
  EXPECT_EQ(graph.value(graph.nodes[1].outputs[0]).name, "y");

  GraphBuilder read;
  const ValueId u = read.Input("x", {1, 2});
  const ValueId soft = read.Eltwise(u, Eltwise::Function::kSoftplus);
  read.Output(read.Product(read.Activation(soft, {Activation::Kind::kTanh, 0, 0}), u));
  read.Output(soft);
  EXPECT_EQ(After(FuseActivations, read).nodes.size(), 3u);
}

TEST(FuseActivationsTest, OnlyOneActivationIsFused) {
  GraphBuilder b;
  b.Output(b.Sigmoid(b.Relu(SomeConv(b, SomeInput(b)))));
  const Graph graph = After(FuseActivations, b);
  EXPECT_EQ(graph.nodes.size(), 2u);
  EXPECT_EQ(graph.nodes[0].as<graph::Conv>()->activation.kind, Activation::Kind::kRelu);
}

TEST(FuseActivationsTest, ValuesThatOthersReadStay) {
  GraphBuilder twice;
  const ValueId y = SomeConv(twice, SomeInput(twice));
  twice.Output(twice.Relu(y)).Output(twice.Sigmoid(y));
  EXPECT_EQ(After(FuseActivations, twice).nodes.size(), 3u);
  GraphBuilder output;
  const ValueId z = SomeConv(output, SomeInput(output));
  output.Output(z).Output(output.Relu(z));
  EXPECT_EQ(After(FuseActivations, output).nodes.size(), 2u);
}

TEST(FuseActivationsTest, QuantizedIntermediateStaysButAQuantizedResultFuses) {
  GraphBuilder intermediate;
  const ValueId y = SomeConv(intermediate, SomeInput(intermediate));
  Quantize(intermediate, y);
  intermediate.Output(intermediate.Relu(y));
  EXPECT_EQ(After(FuseActivations, intermediate).nodes.size(), 2u);
  GraphBuilder result;
  const ValueId z = result.Relu(SomeConv(result, SomeInput(result)));
  Quantize(result, z);
  result.Output(result.MaxPool(z, {2, 2}));
  EXPECT_EQ(After(FuseActivations, result).nodes.size(), 2u);
}

TEST(FuseActivationsTest, IntegerSumTakesOnlyWhatSaturationCanMean) {
  for (const bool relu : {true, false}) {
    GraphBuilder b;
    const ValueId sum = b.Sum(b.Input("x", {1, 2}), b.Input("y", {1, 2}));
    const ValueId z = relu ? b.Relu(sum) : b.Sigmoid(sum);
    Quantize(b, z);
    b.Output(b.Softmax(z));
    EXPECT_EQ(After(FuseActivations, b).nodes.size(), relu ? 2u : 3u);
  }
}

TEST(FuseActivationsTest, GatedArgumentsGetTheirNameAndFuse) {
  GraphBuilder swish;
  const ValueId y = SomeConv(swish, SomeInput(swish));
  swish.Output(swish.Product(swish.Sigmoid(y), y));
  const Graph graph = After(FuseActivations, swish);
  ASSERT_EQ(graph.nodes.size(), 1u);
  EXPECT_EQ(graph.nodes[0].as<graph::Conv>()->activation.kind, Activation::Kind::kSwish);

  GraphBuilder hard;
  const ValueId x = SomeInput(hard);
  const ValueId gate = hard.Add(
      Eltwise{Eltwise::Function::kHardSigmoid, {Activation::Kind::kNone, 1.0f / 6.0f, 0.5f}}, {x});
  hard.Output(hard.Product(x, gate));
  const Graph named = After(FuseActivations, hard);
  ASSERT_EQ(named.nodes.size(), 1u);
  EXPECT_EQ(named.nodes[0].as<Eltwise>()->activation.kind, Activation::Kind::kHardSwish);
}

TEST(FuseActivationsTest, GateOfAnotherValueIsNoSwish) {
  GraphBuilder b;
  const ValueId x = SomeInput(b);
  b.Output(b.Product(b.Sigmoid(x), b.Relu(x)));
  EXPECT_EQ(After(FuseActivations, b).nodes.size(), 3u);
}

TEST(FuseResidualsTest, SumGoesIntoTheConvolutionWithItsActivation) {
  GraphBuilder b;
  const ValueId x = SomeInput(b), shortcut = b.Relu(x);
  Binary sum;
  sum.activation.kind = Activation::Kind::kRelu;
  b.Output(b.Add(sum, {SomeConv(b, x), shortcut}), "y");
  const Graph graph = After(FuseResiduals, b);
  ASSERT_EQ(graph.nodes.size(), 2u);
  const Node* conv = Only<graph::Conv>(graph);
  EXPECT_EQ(conv->input(3), shortcut);
  EXPECT_EQ(conv->input(2), kNoValue);
  EXPECT_EQ(conv->as<graph::Conv>()->activation.kind, Activation::Kind::kRelu);
  EXPECT_EQ(graph.value(conv->outputs[0]).name, "y");
}

TEST(FuseResidualsTest, ShortcutComputedAfterTheConvolutionStillComesFirst) {
  GraphBuilder b;
  const ValueId x = SomeInput(b);
  const ValueId y = SomeConv(b, x);
  const ValueId shortcut = b.Relu(x);  // behind the convolution in the list
  b.Output(b.Sum(shortcut, y));
  const Graph graph = After(FuseResiduals, b);  // validates the order
  ASSERT_EQ(graph.nodes.size(), 2u);
  EXPECT_EQ(graph.nodes[1].input(3), shortcut);
}

TEST(FuseResidualsTest, OfTwoConvolutionsOneTakesTheOther) {
  GraphBuilder b;
  const ValueId x = SomeInput(b);
  b.Output(b.Sum(SomeConv(b, x), SomeConv(b, x)));
  const Graph graph = After(FuseResiduals, b);
  ASSERT_EQ(graph.nodes.size(), 2u);
  EXPECT_EQ(graph.nodes[1].input(3), graph.nodes[0].outputs[0]);
}

// The sum of a convolution and what `other` returns stays a node.
void ExpectSumStays(GraphBuilder& b) { EXPECT_EQ(Count<Binary>(After(FuseResiduals, b)), 1u); }

TEST(FuseResidualsTest, BroadcastsStay) {
  GraphBuilder channels;
  channels.Output(
      channels.Sum(SomeConv(channels, SomeInput(channels)), channels.Input("y", {2, 1, 1})));
  ExpectSumStays(channels);
  GraphBuilder batch;
  batch.Output(batch.Sum(SomeConv(batch, SomeInput(batch)), batch.Input("y", {1, 2, 4, 4})));
  ExpectSumStays(batch);
  GraphBuilder unknown;
  unknown.Output(
      unknown.Sum(SomeConv(unknown, SomeInput(unknown)), unknown.InputOfUnknownRank("y")));
  ExpectSumStays(unknown);
}

TEST(FuseResidualsTest, UsedOrActivatedResultsStay) {
  GraphBuilder used;
  const ValueId x = SomeInput(used), y = SomeConv(used, x);
  used.Output(used.Sum(y, x)).Output(used.Relu(y));
  ExpectSumStays(used);
  GraphBuilder activated;
  const ValueId z = SomeInput(activated);
  graph::Conv conv;
  conv.activation.kind = Activation::Kind::kRelu;
  activated.Output(activated.Sum(
      activated.Conv(z, activated.Filled({2, 2, 1, 1}, 1), activated.kNone, conv), z));
  ExpectSumStays(activated);
  GraphBuilder doubled;
  const ValueId twice = SomeConv(doubled, SomeInput(doubled));
  doubled.Output(doubled.Sum(twice, twice));
  ExpectSumStays(doubled);
}

TEST(FuseResidualsTest, IntegersStay) {
  for (const int which : {0, 1, 2}) {  // the convolution's input, the shortcut, the sum
    GraphBuilder b;
    const ValueId x = b.Sigmoid(SomeInput(b)), shortcut = b.Relu(SomeInput(b));
    const ValueId sum = b.Sum(SomeConv(b, x), shortcut);
    Quantize(b, which == 0 ? x : which == 1 ? shortcut : sum);
    b.Output(b.Softmax(sum));
    ExpectSumStays(b);
  }
}

}  // namespace
}  // namespace fourfold::passes
