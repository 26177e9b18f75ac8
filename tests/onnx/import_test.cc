#include "server/onnx/import.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "tests/onnx/model_builder.h"

namespace fourfold::onnx {
namespace {

using ::testing::ElementsAre;
using ::testing::FloatEq;

// The graph of a model that has to be readable.
graph::Graph Imported(const ModelBuilder& builder) {
  auto result = builder.Import();
  EXPECT_TRUE(result.ok()) << result.status();
  return result.ok() ? *std::move(result) : graph::Graph();
}

// The only node of that operation.
template <typename T>
const graph::Node* Find(const graph::Graph& graph) {
  const graph::Node* found = nullptr;
  for (const graph::Node& node : graph.nodes) {
    if (!node.as<T>()) continue;
    EXPECT_EQ(found, nullptr) << "more than one node of that operation";
    found = &node;
  }
  return found;
}

graph::Shape OutputShape(const graph::Graph& graph) {
  return graph.value(graph.outputs.at(0)).shape.value_or(graph::Shape{});
}

TEST(ImportTest, ClipReadsAttributesBelowOpset11) {
  ModelBuilder builder(6 + 1);
  builder.Input("x", {3});
  auto& node = builder.Node("Clip", {"x"}, {"y"});
  AddFloat(node, "min", -1.0f);
  AddFloat(node, "max", 6.0f);
  builder.Output("y");
  const graph::Graph graph = Imported(builder);
  const graph::Node* clip = Find<graph::Eltwise>(graph);
  ASSERT_NE(clip, nullptr);
  const kernels::Activation wanted{kernels::Activation::Kind::kClip, -1.0f, 6.0f};
  EXPECT_EQ(clip->as<graph::Eltwise>()->activation, wanted);
}

TEST(ImportTest, ClipReadsInputsFromOpset11) {
  ModelBuilder builder(11);
  builder.Input("x", {3});
  builder.Floats("high", {}, {6});
  builder.Node("Clip", {"x", "", "high"}, {"y"});
  builder.Output("y");
  const graph::Graph graph = Imported(builder);
  const graph::Node* clip = Find<graph::Eltwise>(graph);
  ASSERT_NE(clip, nullptr);
  const kernels::Activation wanted{kernels::Activation::Kind::kClip,
                                   std::numeric_limits<float>::lowest(), 6.0f};
  EXPECT_EQ(clip->as<graph::Eltwise>()->activation, wanted);
}

TEST(ImportTest, ClipReadsBoundsBehindACast) {
  ModelBuilder builder(13);
  builder.Input("x", {3});
  builder.Int64s("six", {6});
  AddInt(builder.Node("Cast", {"six"}, {"high"}), "to", ::onnx::TensorProto::FLOAT);
  builder.Node("Clip", {"x", "", "high"}, {"y"});
  builder.Output("y");
  const graph::Graph graph = Imported(builder);
  const graph::Node* clip = Find<graph::Eltwise>(graph);
  ASSERT_NE(clip, nullptr);
  EXPECT_EQ(clip->as<graph::Eltwise>()->activation.beta, 6.0f);
}

TEST(ImportTest, SqueezeHasAxesAsAttributeUntil12AndAsInputFrom13) {
  for (int64_t opset : {11, 13}) {
    ModelBuilder builder(opset);
    builder.Input("x", {1, 2, 1, 3});
    if (opset == 11) {
      AddInts(builder.Node("Squeeze", {"x"}, {"y"}), "axes", {0});
    } else {
      builder.Int64s("axes", {0});
      builder.Node("Squeeze", {"x", "axes"}, {"y"});
    }
    builder.Output("y");
    const graph::Graph graph = Imported(builder);
    EXPECT_THAT(OutputShape(graph), ElementsAre(2, 1, 3)) << "opset " << opset;
  }
}

TEST(ImportTest, UnsqueezeHasAxesAsAttributeUntil12AndAsInputFrom13) {
  for (int64_t opset : {11, 13}) {
    ModelBuilder builder(opset);
    builder.Input("x", {2, 3});
    if (opset == 11) {
      AddInts(builder.Node("Unsqueeze", {"x"}, {"y"}), "axes", {0, 3});
    } else {
      builder.Int64s("axes", {0, 3});
      builder.Node("Unsqueeze", {"x", "axes"}, {"y"});
    }
    builder.Output("y");
    EXPECT_THAT(OutputShape(Imported(builder)), ElementsAre(1, 2, 3, 1)) << "opset " << opset;
  }
}

TEST(ImportTest, SliceHasBoundsAsAttributesUntil9AndAsInputsFrom10) {
  for (int64_t opset : {9, 10}) {
    ModelBuilder builder(opset);
    builder.Input("x", {4, 10});
    if (opset == 9) {
      auto& node = builder.Node("Slice", {"x"}, {"y"});
      AddInts(node, "starts", {2});
      AddInts(node, "ends", {9});
      AddInts(node, "axes", {1});
    } else {
      builder.Int64s("starts", {2});
      builder.Int64s("ends", {9});
      builder.Int64s("axes", {1});
      builder.Node("Slice", {"x", "starts", "ends", "axes"}, {"y"});
    }
    builder.Output("y");
    EXPECT_THAT(OutputShape(Imported(builder)), ElementsAre(4, 7)) << "opset " << opset;
  }
}

TEST(ImportTest, PadHasPadsAsAttributeUntil10AndAsInputFrom11) {
  for (int64_t opset : {10, 11}) {
    ModelBuilder builder(opset);
    builder.Input("x", {2, 3});
    if (opset == 10) {
      auto& node = builder.Node("Pad", {"x"}, {"y"});
      AddInts(node, "pads", {0, 1, 0, 2});
      AddFloat(node, "value", 0.5f);
    } else {
      builder.Int64s("pads", {0, 1, 0, 2});
      builder.Floats("value", {}, {0.5f});
      builder.Node("Pad", {"x", "pads", "value"}, {"y"});
    }
    builder.Output("y");
    const graph::Graph graph = Imported(builder);
    const graph::Node* pad = Find<graph::Pad>(graph);
    ASSERT_NE(pad, nullptr);
    EXPECT_THAT(ConstantFloats(graph, *pad, 2), ElementsAre(0.5f)) << "opset " << opset;
    EXPECT_THAT(OutputShape(graph), ElementsAre(2, 6)) << "opset " << opset;
  }
}

TEST(ImportTest, SoftmaxFlattensBelowOpset13) {
  for (int64_t opset : {11, 13}) {
    ModelBuilder builder(opset);
    builder.Input("x", {2, 3, 4});
    builder.Node("Softmax", {"x"}, {"y"});
    builder.Output("y");
    const graph::Graph graph = Imported(builder);
    const graph::Node* softmax = Find<graph::Softmax>(graph);
    ASSERT_NE(softmax, nullptr);
    EXPECT_EQ(softmax->as<graph::Softmax>()->flatten, opset == 11);
    EXPECT_EQ(softmax->as<graph::Softmax>()->axis, opset == 11 ? 1 : -1);
  }
}

TEST(ImportTest, ReduceSumHasAxesAsInputFrom13AndReduceMeanFrom18) {
  const auto reduced = [](const std::string& op_type, int64_t opset, bool by_input) {
    ModelBuilder builder(opset);
    builder.Input("x", {2, 3, 4});
    builder.Int64s("axes", {1});
    auto& node = builder.Node(op_type, {"x"}, {"y"});
    if (by_input) node.add_input("axes");
    if (!by_input) AddInts(node, "axes", {1});
    AddInt(node, "keepdims", 0);
    builder.Output("y");
    return builder;
  };
  EXPECT_THAT(OutputShape(Imported(reduced("ReduceSum", 12, false))), ElementsAre(2, 4));
  EXPECT_THAT(OutputShape(Imported(reduced("ReduceSum", 13, true))), ElementsAre(2, 4));
  EXPECT_THAT(OutputShape(Imported(reduced("ReduceMean", 17, false))), ElementsAre(2, 4));
  EXPECT_THAT(OutputShape(Imported(reduced("ReduceMean", 18, true))), ElementsAre(2, 4));
  EXPECT_FALSE(reduced("ReduceSum", 13, false).Import().ok());
  EXPECT_FALSE(reduced("ReduceMean", 17, true).Import().ok());
}

TEST(ImportTest, UpsampleIsAResizeFromTheTopLeft) {
  for (int64_t opset : {7, 9}) {
    ModelBuilder builder(opset);
    builder.Input("x", {1, 2, 3, 4});
    if (opset == 7) {
      auto& scales = *builder.Node("Upsample", {"x"}, {"y"}).add_attribute();
      scales.set_name("scales");
      scales.set_type(::onnx::AttributeProto::FLOATS);
      for (float scale : {1.0f, 1.0f, 2.0f, 3.0f}) scales.add_floats(scale);
    } else {
      builder.Floats("scales", {4}, {1, 1, 2, 3});
      builder.Node("Upsample", {"x", "scales"}, {"y"});
    }
    builder.Output("y");
    const graph::Graph graph = Imported(builder);
    const graph::Node* resize = Find<graph::Resize>(graph);
    ASSERT_NE(resize, nullptr);
    EXPECT_EQ(resize->as<graph::Resize>()->coordinates, graph::Resize::Coordinates::kAsymmetric);
    EXPECT_EQ(resize->as<graph::Resize>()->nearest, graph::Resize::Nearest::kFloor);
    EXPECT_THAT(OutputShape(graph), ElementsAre(1, 2, 6, 12)) << "opset " << opset;
  }
}

TEST(ImportTest, GemmBecomesAMatMulWithItsBiasInside) {
  ModelBuilder builder;
  builder.Input("x", {5, 2});
  builder.Floats("w", {3, 2}, {1, 2, 3, 4, 5, 6});
  builder.Floats("c", {1, 3}, {1, 2, 3});
  auto& node = builder.Node("Gemm", {"x", "w", "c"}, {"y"});
  AddInt(node, "transB", 1);
  AddFloat(node, "alpha", 2.0f);
  AddFloat(node, "beta", 0.5f);
  builder.Output("y");
  const graph::Graph graph = Imported(builder);
  ASSERT_EQ(graph.nodes.size(), 1u);
  const graph::Node* matmul = Find<graph::MatMul>(graph);
  ASSERT_NE(matmul, nullptr);
  EXPECT_TRUE(matmul->as<graph::MatMul>()->transpose_rhs);
  EXPECT_THAT(ConstantFloats(graph, *matmul, 1), ElementsAre(2, 4, 6, 8, 10, 12));
  EXPECT_THAT(ConstantFloats(graph, *matmul, 2), ElementsAre(0.5f, 1.0f, 1.5f));
  EXPECT_THAT(*graph.value(matmul->inputs[2]).shape, ElementsAre(3));
}

TEST(ImportTest, GemmWhoseCIsAColumnAddsItAfterwards) {
  ModelBuilder builder;
  builder.Input("x", {5, 2});
  builder.Floats("w", {2, 3}, {1, 2, 3, 4, 5, 6});
  builder.Floats("c", {5, 1}, {1, 2, 3, 4, 5});
  builder.Node("Gemm", {"x", "w", "c"}, {"y"});
  builder.Output("y");
  const graph::Graph graph = Imported(builder);
  ASSERT_EQ(graph.nodes.size(), 2u);
  EXPECT_EQ(graph.nodes[0].inputs.size(), 2u);
  EXPECT_NE(Find<graph::Binary>(graph), nullptr);
}

TEST(ImportTest, EvenSplitBecomesSlicesWithKnownBounds) {
  ModelBuilder builder(18);
  builder.Input("x", {2, 7});
  auto& node = builder.Node("Split", {"x"}, {"a", "b", "c"});
  AddInt(node, "axis", 1);
  AddInt(node, "num_outputs", 3);
  for (const char* name : {"a", "b", "c"}) builder.Output(name);
  const graph::Graph graph = Imported(builder);
  ASSERT_EQ(graph.outputs.size(), 3u);
  EXPECT_THAT(*graph.value(graph.outputs[0]).shape, ElementsAre(2, 3));
  EXPECT_THAT(*graph.value(graph.outputs[1]).shape, ElementsAre(2, 3));
  EXPECT_THAT(*graph.value(graph.outputs[2]).shape, ElementsAre(2, 1));
}

TEST(ImportTest, SplitBySizes) {
  ModelBuilder builder(11);
  builder.Input("x", {2, 7});
  auto& node = builder.Node("Split", {"x"}, {"a", "b"});
  AddInt(node, "axis", -1);
  AddInts(node, "split", {2, 5});
  builder.Output("a");
  builder.Output("b");
  const graph::Graph graph = Imported(builder);
  ASSERT_EQ(graph.outputs.size(), 2u);
  EXPECT_THAT(*graph.value(graph.outputs[0]).shape, ElementsAre(2, 2));
  EXPECT_THAT(*graph.value(graph.outputs[1]).shape, ElementsAre(2, 5));
}

TEST(ImportTest, SumOfThreeIsAChain) {
  ModelBuilder builder;
  builder.Input("a", {2});
  builder.Input("b", {2});
  builder.Input("c", {2});
  builder.Node("Sum", {"a", "b", "c"}, {"y"}, "sum");
  builder.Output("y");
  const graph::Graph graph = Imported(builder);
  ASSERT_EQ(graph.nodes.size(), 2u);
  EXPECT_EQ(graph.nodes[1].inputs[0], graph.nodes[0].outputs[0]);
  EXPECT_NE(graph.nodes[0].name, graph.nodes[1].name);
}

TEST(ImportTest, InitializersListedAsInputsAreConstants) {
  ModelBuilder builder(7);
  builder.model().set_ir_version(3);
  builder.Input("x", {2});
  builder.Input("w", {2});
  builder.Floats("w", {2}, {3, 4});
  builder.Floats("unused", {2}, {3, 4});
  builder.Node("Mul", {"x", "w"}, {"y"});
  builder.Output("y");
  const graph::Graph graph = Imported(builder);
  EXPECT_EQ(graph.inputs.size(), 1u);
  ASSERT_EQ(graph.nodes.size(), 1u);
  EXPECT_THAT(ConstantFloats(graph, graph.nodes[0], 1), ElementsAre(3, 4));
}

TEST(ImportTest, NodesInAnyOrder) {
  ModelBuilder builder;
  builder.Input("x", {2});
  builder.Node("Abs", {"b"}, {"c"}, "third");
  builder.Node("Exp", {"a"}, {"b"}, "second");
  builder.Node("Neg", {"x"}, {"a"}, "first");
  builder.Output("c");
  const graph::Graph graph = Imported(builder);
  ASSERT_EQ(graph.nodes.size(), 3u);
  EXPECT_EQ(graph.nodes[0].name, "first");
  EXPECT_EQ(graph.nodes[1].name, "second");
  EXPECT_EQ(graph.nodes[2].name, "third");
}

TEST(ImportTest, NodeNamesAreMadeUnique) {
  ModelBuilder builder;
  builder.Input("x", {2});
  builder.Node("Abs", {"x"}, {"a"}, "same");
  builder.Node("Abs", {"a"}, {"b"}, "same");
  builder.Node("Abs", {"b"}, {"c"});
  builder.Output("c");
  const graph::Graph graph = Imported(builder);
  ASSERT_EQ(graph.nodes.size(), 3u);
  EXPECT_EQ(graph.nodes[0].name, "same");
  EXPECT_EQ(graph.nodes[1].name, "same_1");
  EXPECT_EQ(graph.nodes[2].name, "Abs_2");
}

TEST(ImportTest, DimensionsThatVaryKeepTheirNames) {
  ModelBuilder builder;
  builder.Input("x", {1, 3});
  auto& shape =
      *builder.graph().mutable_input(0)->mutable_type()->mutable_tensor_type()->mutable_shape();
  shape.mutable_dim(0)->set_dim_param("batch");
  builder.Node("Relu", {"x"}, {"y"});
  builder.Output("y");
  const graph::Graph graph = Imported(builder);
  EXPECT_THAT(OutputShape(graph), ElementsAre(graph::kUnknownDim, 3));
  ASSERT_EQ(graph.input_dim_names.size(), 1u);
  EXPECT_THAT(graph.input_dim_names[0], ElementsAre("batch", ""));
}

TEST(ImportTest, FieldsAndVersionsNewerThanOursAreReadOver) {
  ModelBuilder builder(22);
  builder.model().set_ir_version(13);
  builder.Input("x", {3});
  builder.Node("Relu", {"x"}, {"y"});
  builder.Output("y");
  // Field 500 of the model, length-delimited, 2 bytes.
  EXPECT_TRUE(ImportBytes(builder.Bytes() + "\xa2\x1f\x02hi").ok());
}

TEST(ImportTest, ConstantsInEveryForm) {
  ModelBuilder builder;
  auto& floats = *builder.Node("Constant", {}, {"floats"}).add_attribute();
  floats.set_name("value_floats");
  floats.set_type(::onnx::AttributeProto::FLOATS);
  floats.add_floats(1.5f);
  floats.add_floats(2.5f);
  AddFloat(builder.Node("Constant", {}, {"float"}), "value_float", 3.5f);
  AddInt(builder.Node("Constant", {}, {"int"}), "value_int", 7);
  AddInts(builder.Node("Constant", {}, {"ints"}), "value_ints", {8, 9});
  for (const char* name : {"floats", "float", "int", "ints"}) builder.Output(name);
  const graph::Graph graph = Imported(builder);
  ASSERT_EQ(graph.outputs.size(), 4u);
  EXPECT_THAT(graph.value(graph.outputs[0]).constant->ToFloat(), ElementsAre(1.5f, 2.5f));
  EXPECT_THAT(graph.value(graph.outputs[1]).constant->ToFloat(), ElementsAre(3.5f));
  EXPECT_TRUE(graph.value(graph.outputs[1]).shape->empty());
  EXPECT_THAT(graph.value(graph.outputs[2]).constant->ToInt64(), ElementsAre(7));
  EXPECT_THAT(graph.value(graph.outputs[3]).constant->ToInt64(), ElementsAre(8, 9));
}

TEST(ImportTest, TypedFieldsAndRawBytesAreTheSame) {
  ModelBuilder builder;
  auto& raw = *builder.graph().add_initializer();
  raw.set_name("raw");
  raw.set_data_type(::onnx::TensorProto::INT8);
  raw.add_dims(3);
  raw.set_raw_data(std::string("\x80\xff\x01", 3));
  auto& typed = *builder.graph().add_initializer();
  typed.set_name("typed");
  typed.set_data_type(::onnx::TensorProto::INT8);
  typed.add_dims(3);
  for (int value : {-128, -1, 1}) typed.add_int32_data(value);
  auto& half = *builder.graph().add_initializer();
  half.set_name("half");
  half.set_data_type(::onnx::TensorProto::FLOAT16);
  half.add_int32_data(0x3e00);  // 1.5
  for (const char* name : {"raw", "typed", "half"}) builder.Output(name);
  const graph::Graph graph = Imported(builder);
  ASSERT_EQ(graph.outputs.size(), 3u);
  EXPECT_THAT(graph.value(graph.outputs[0]).constant->ToInt64(), ElementsAre(-128, -1, 1));
  EXPECT_THAT(graph.value(graph.outputs[1]).constant->ToInt64(), ElementsAre(-128, -1, 1));
  EXPECT_THAT(graph.value(graph.outputs[2]).constant->ToFloat(), ElementsAre(1.5f));
}

}  // namespace
}  // namespace fourfold::onnx
