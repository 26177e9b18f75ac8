#include <gtest/gtest.h>

#include <cmath>

#include "server/graph/validate.h"
#include "server/passes/passes.h"
#include "tests/testing/graph_builder.h"

namespace fourfold::passes {
namespace {

using graph::Eltwise;
using graph::Graph;
using graph::Node;
using graph::Normalization;
using graph::Reduce;
using graph::ValueId;
using testing::Count;
using testing::GraphBuilder;
using Function = Eltwise::Function;
using Operation = graph::Binary::Operation;

Graph Fused(GraphBuilder& b) {
  Graph graph = b.Build();
  EXPECT_TRUE(FuseNormalization(graph).ok());
  const absl::Status valid = graph::Validate(graph);
  EXPECT_TRUE(valid.ok()) << valid;
  return graph;
}

struct Written {
  std::vector<int64_t> axes = {-1};
  bool power = true;   // Pow(d, 2), else d * d
  bool twice = false;  // the difference is computed twice
  bool keep_dims = true;
  double exponent = 2.0;
};

// Layer normalization as exporters write it.
ValueId WriteLayer(GraphBuilder& b, ValueId x, const Written& form) {
  Reduce mean;
  mean.axes = form.axes;
  mean.keep_dims = form.keep_dims;
  const ValueId center = b.Add(mean, {x});
  const ValueId difference = b.Binary(Operation::kSub, x, center);
  const ValueId other = form.twice ? b.Binary(Operation::kSub, x, b.Add(mean, {x})) : difference;
  const ValueId square =
      form.power ? b.Binary(Operation::kPow, other, b.Scalar(static_cast<float>(form.exponent)))
                 : b.Product(other, other);
  const ValueId stable = b.Sum(b.Add(mean, {square}), b.Scalar(1e-6f));
  return b.Binary(Operation::kDiv, difference, b.Eltwise(stable, Function::kSqrt));
}

TEST(FuseNormalizationTest, LayerNormalizationWithScaleAndBias) {
  for (const bool power : {true, false}) {
    for (const bool twice : {true, false}) {
      GraphBuilder b;
      const ValueId x = b.Input("x", {graph::kUnknownDim, 7, 4});
      const ValueId scale = b.Varied({4}), bias = b.Varied({4});
      b.Output(b.Sum(b.Product(scale, WriteLayer(b, x, {.power = power, .twice = twice})), bias),
               "y");
      const Graph graph = Fused(b);
      ASSERT_EQ(graph.nodes.size(), 1u);
      const auto* norm = graph.nodes[0].as<Normalization>();
      ASSERT_NE(norm, nullptr);
      EXPECT_EQ(norm->kind, Normalization::Kind::kLayer);
      EXPECT_EQ(norm->axis, -1);
      EXPECT_EQ(norm->epsilon, 1e-6f);
      EXPECT_EQ(graph.nodes[0].inputs, (std::vector<ValueId>{x, scale, bias}));
      EXPECT_EQ(graph.value(graph.nodes[0].outputs[0]).name, "y");
    }
  }
}

TEST(FuseNormalizationTest, LayerNormalizationOverSeveralDimensionsOrWithoutAffine) {
  GraphBuilder bare;
  bare.Output(WriteLayer(bare, bare.Input("x", {2, 3, 4}), {.axes = {2, 1}}));
  const Graph graph = Fused(bare);
  ASSERT_EQ(graph.nodes.size(), 1u);
  EXPECT_EQ(graph.nodes[0].as<Normalization>()->axis, -2);
  EXPECT_EQ(graph.nodes[0].inputs.size(), 1u);

  // A scale of another shape stays a multiplication.
  GraphBuilder other;
  other.Output(
      other.Product(WriteLayer(other, other.Input("x", {2, 3, 4}), {}), other.Varied({3, 1})));
  EXPECT_EQ(Count<Normalization>(Fused(other)), 1u);
}

TEST(FuseNormalizationTest, WhatIsNoLayerNormalizationStays) {
  for (const Written& form : {Written{.axes = {1}}, Written{.exponent = 3.0}}) {
    GraphBuilder b;
    b.Output(WriteLayer(b, b.Input("x", {2, 3, 4}), form));
    EXPECT_EQ(Count<Normalization>(Fused(b)), 0u);
  }
  GraphBuilder quantized;
  const ValueId x = quantized.Input("x", {2, 4});
  const ValueId y = WriteLayer(quantized, x, {});
  quantized.Output(quantized.Relu(y));
  Graph graph = quantized.Build();
  for (const Node& node : graph.nodes) {  // the difference is rounded to 8 bits
    if (node.as<graph::Binary>() == nullptr) continue;
    graph.value(node.outputs[0]).type = graph::DataType::kUint8;
    graph.value(node.outputs[0]).quantization = graph::Quantization{{0.5f}, {0}, -1};
    break;
  }
  ASSERT_TRUE(FuseNormalization(graph).ok());
  EXPECT_EQ(Count<Normalization>(graph), 0u);
}

// x/2 (1 + gate) in the orders that are met.
ValueId Half(GraphBuilder& b, ValueId x, ValueId gate, int order) {
  const ValueId one = b.Sum(gate, b.Scalar(1.0f));
  switch (order) {
    case 0: return b.Product(b.Product(x, one), b.Scalar(0.5f));
    case 1: return b.Product(b.Product(b.Scalar(0.5f), x), one);
    case 2: return b.Product(x, b.Product(one, b.Scalar(0.5f)));
    default: return b.Product(x, b.Binary(Operation::kDiv, one, b.Scalar(2.0f)));
  }
}

TEST(FuseNormalizationTest, GeluOfErf) {
  for (int order = 0; order < 4; ++order) {
    for (const bool divide : {true, false}) {
      GraphBuilder b;
      // x is a product itself, which must not be taken apart.
      const ValueId x = b.Product(b.Input("a", {2, 3}), b.Input("b", {2, 3}));
      const ValueId argument = divide ? b.Binary(Operation::kDiv, x, b.Scalar(std::sqrt(2.0f)))
                                      : b.Product(b.Scalar(std::sqrt(0.5f)), x);
      b.Output(Half(b, x, b.Eltwise(argument, Function::kErf), order), "y");
      const Graph graph = Fused(b);
      ASSERT_EQ(graph.nodes.size(), 2u) << order;
      EXPECT_EQ(graph.nodes[1].as<Eltwise>()->function, Function::kGelu);
      EXPECT_EQ(graph.nodes[1].inputs, std::vector<ValueId>{x});
      EXPECT_EQ(graph.value(graph.nodes[1].outputs[0]).name, "y");
    }
  }
}

TEST(FuseNormalizationTest, GeluOfTanh) {
  const float root = std::sqrt(2.0f / static_cast<float>(M_PI));
  for (int form = 0; form < 3; ++form) {
    GraphBuilder b;
    const ValueId x = b.Input("x", {2, 3});
    ValueId argument = GraphBuilder::kNone;
    const auto scaled = [&](float factor, ValueId value) {
      return b.Product(b.Scalar(factor), value);
    };
    if (form == 0) {
      const ValueId cube = b.Binary(Operation::kPow, x, b.Scalar(3.0f));
      argument = scaled(root, b.Sum(x, scaled(0.044715f, cube)));
    } else if (form == 1) {
      const ValueId cube = b.Product(b.Product(x, x), x);
      argument = b.Product(b.Sum(x, scaled(0.044715f, cube)), b.Scalar(root));
    } else {
      const ValueId square = b.Product(b.Product(scaled(0.044715f, x), x), b.Scalar(1.0f));
      argument = b.Product(scaled(root, x), b.Sum(b.Scalar(1.0f), square));
    }
    const ValueId gate = b.Activation(argument, {kernels::Activation::Kind::kTanh, 0.0f, 0.0f});
    b.Output(Half(b, x, gate, form));
    const Graph graph = Fused(b);
    ASSERT_EQ(graph.nodes.size(), 1u) << form;
    EXPECT_EQ(graph.nodes[0].as<Eltwise>()->function, Function::kGeluTanh);
  }
}

TEST(FuseNormalizationTest, WhatIsNoGeluStays) {
  const auto gelu = [](GraphBuilder& b, ValueId x, ValueId times, float divisor, float half) {
    const ValueId erf = b.Eltwise(b.Binary(Operation::kDiv, x, b.Scalar(divisor)), Function::kErf);
    return b.Product(b.Product(times, b.Sum(erf, b.Scalar(1.0f))), b.Scalar(half));
  };
  const float root = std::sqrt(2.0f);
  GraphBuilder factor, divisor, other, read;
  factor.Output(gelu(factor, factor.Input("x", {2}), 0, root, 0.25f));
  EXPECT_EQ(Count<Eltwise>(Fused(factor)), 1u);
  divisor.Output(gelu(divisor, divisor.Input("x", {2}), 0, 1.5f, 0.5f));
  const Graph kept = Fused(divisor);
  EXPECT_EQ(kept.nodes.size(), 5u);
  const ValueId x = other.Input("x", {2}), y = other.Input("y", {2});
  other.Output(gelu(other, x, y, root, 0.5f));
  EXPECT_EQ(Fused(other).nodes.size(), 5u);
  // Somebody else reads the erf: it is still computed, and the chain through it stays.
  const ValueId z = read.Input("x", {2});
  const ValueId erf =
      read.Eltwise(read.Binary(Operation::kDiv, z, read.Scalar(root)), Function::kErf);
  read.Output(erf, "erf");
  read.Output(Half(read, z, erf, 0), "y");
  EXPECT_EQ(Fused(read).nodes.size(), 5u);
}

}  // namespace
}  // namespace fourfold::passes
