#include "server/onnx/export.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <map>

#include "tests/onnx/model_builder.h"

namespace fourfold::onnx {
namespace {

using graph::DataType;
using graph::Graph;
using graph::Quantization;
using graph::Tensor;
using graph::Value;
using graph::ValueId;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Graphs as passes leave them, which no import makes.
struct Sketch {
  Graph graph;

  ValueId Add(const std::string& name, graph::Shape shape, DataType type = DataType::kFloat32,
              std::optional<Quantization> quantization = {}) {
    Value value;
    value.name = name;
    value.type = type;
    value.shape = std::move(shape);
    value.quantization = std::move(quantization);
    return graph.AddValue(std::move(value));
  }
  ValueId Input(const std::string& name, graph::Shape shape) {
    graph.inputs.push_back(Add(name, std::move(shape)));
    return graph.inputs.back();
  }
  template <typename T>
  ValueId Constant(const std::string& name, DataType type, graph::Shape shape,
                   const std::vector<T>& values) {
    return graph.AddConstant(name, Tensor::Of(type, std::move(shape), values));
  }
  void Node(const std::string& name, graph::Operation operation, std::vector<ValueId> inputs,
            ValueId output) {
    graph.nodes.push_back({name, std::move(operation), std::move(inputs), {output}});
  }
};

// The exported messages, with what the tests ask of them.
struct Exported {
  ::onnx::ModelProto model;

  explicit Exported(const Graph& graph) {
    const auto file = Export(graph);
    EXPECT_TRUE(file.ok()) << file.status();
    EXPECT_TRUE(model.ParseFromString(file.value_or("")));
  }
  std::vector<std::string> OpTypes() const {
    std::vector<std::string> types;
    for (const auto& node : model.graph().node()) types.push_back(node.op_type());
    return types;
  }
  const ::onnx::NodeProto& Producer(const std::string& name) const {
    for (const auto& node : model.graph().node()) {
      for (const auto& output : node.output()) {
        if (output == name) return node;
      }
    }
    ADD_FAILURE() << "nothing writes " << name;
    return ::onnx::NodeProto::default_instance();
  }
  const ::onnx::TensorProto& Initializer(const std::string& name) const {
    for (const auto& tensor : model.graph().initializer()) {
      if (tensor.name() == name) return tensor;
    }
    ADD_FAILURE() << "no initializer " << name;
    return ::onnx::TensorProto::default_instance();
  }
};

template <typename T>
std::vector<T> Elements(const ::onnx::TensorProto& tensor) {
  std::vector<T> elements(tensor.raw_data().size() / sizeof(T));
  std::memcpy(elements.data(), tensor.raw_data().data(), tensor.raw_data().size());
  return elements;
}

TEST(ExportTest, StatesVersionsAndKeepsMetadata) {
  Sketch s;
  const ValueId x = s.Input("x", {graph::kUnknownDim, 3});
  s.graph.input_dim_names = {{"batch", ""}};
  const ValueId y = s.Add("y", {graph::kUnknownDim, 3});
  s.Node("relu", graph::Eltwise{.activation = {kernels::Activation::Kind::kRelu}}, {x}, y);
  s.graph.outputs = {y};
  s.graph.metadata["recipe"] = "int8";
  const Exported e(s.graph);
  EXPECT_EQ(e.model.ir_version(), 7);
  EXPECT_EQ(e.model.opset_import(0).version(), 13);
  EXPECT_EQ(e.model.producer_name(), "fourfold");
  EXPECT_EQ(e.model.metadata_props(0).key(), "recipe");
  EXPECT_EQ(e.model.metadata_props(0).value(), "int8");
  const auto& shape = e.model.graph().input(0).type().tensor_type().shape();
  EXPECT_EQ(shape.dim(0).dim_param(), "batch");
  EXPECT_EQ(shape.dim(1).dim_value(), 3);
}

TEST(ExportTest, FusedConvolutionComesApart) {
  Sketch s;
  const ValueId x = s.Input("x", {1, 1, 4, 4});
  const ValueId w = s.Constant<float>("w", DataType::kFloat32, {1, 1, 1, 1}, {2});
  const ValueId b = s.Constant<float>("b", DataType::kFloat32, {1}, {1});
  const ValueId y = s.Add("y", {1, 1, 4, 4});
  graph::Conv conv;
  conv.activation = {kernels::Activation::Kind::kClip, 0.0f, 6.0f};
  s.Node("conv", conv, {x, w, b, x}, y);
  s.graph.outputs = {y};
  const Exported e(s.graph);
  EXPECT_THAT(e.OpTypes(), ElementsAre("Conv", "Add", "Clip"));
  EXPECT_EQ(e.Producer("y").op_type(), "Clip");
  EXPECT_EQ(e.model.graph().node(1).input(1), "x");
}

TEST(ExportTest, MatMulWithBiasIsAGemmForMatricesAndComesApartForOthers) {
  for (const bool matrices : {true, false}) {
    Sketch s;
    const ValueId x = s.Input("x", matrices ? graph::Shape{2, 3} : graph::Shape{5, 2, 3});
    const ValueId w = s.Constant<float>("w", DataType::kFloat32, {1, 3}, {1, 2, 3});
    const ValueId b = s.Constant<float>("b", DataType::kFloat32, {1}, {1});
    const ValueId y = s.Add("y", matrices ? graph::Shape{2, 1} : graph::Shape{5, 2, 1});
    s.Node("dense", graph::MatMul{.transpose_rhs = true, .activation = {}}, {x, w, b}, y);
    s.graph.outputs = {y};
    const Exported e(s.graph);
    if (matrices) {
      EXPECT_THAT(e.OpTypes(), ElementsAre("Gemm"));
    } else {
      EXPECT_THAT(e.OpTypes(), ElementsAre("Transpose", "MatMul", "Add"));
    }
  }
}

// x -> Quantize -> q -> Conv(int8 weights per channel, bias) -> y, quantized, read by a Relu.
Graph QuantizedConvolution(const std::vector<float>& bias) {
  Sketch s;
  const ValueId x = s.Input("x", {1, 1, 4, 4});
  const ValueId q = s.Add("q", {1, 1, 4, 4}, DataType::kUint8, Quantization{{0.5f}, {128}, -1});
  const ValueId w = s.Constant<int8_t>("w", DataType::kInt8, {2, 1, 1, 1}, {127, -127});
  s.graph.value(w).quantization = Quantization{{0.25f, 0.125f}, {0, 0}, 0};
  const ValueId b = s.Constant<float>("b", DataType::kFloat32, {2}, bias);
  const ValueId y = s.Add("y", {1, 2, 4, 4}, DataType::kUint8, Quantization{{0.1f}, {3}, -1});
  const ValueId z = s.Add("z", {1, 2, 4, 4});
  s.Node("quantize", graph::Quantize{}, {x}, q);
  s.Node("conv", graph::Conv{}, {q, w, b}, y);
  s.Node("neg", graph::Eltwise{.function = graph::Eltwise::Function::kNeg, .activation = {}}, {y},
         z);
  s.graph.outputs = {z};
  return s.graph;
}

TEST(ExportTest, QuantizedConvolutionStandsBetweenQuantizeAndDequantize) {
  const Exported e(QuantizedConvolution({1.0f, -2.0f}));
  const auto& conv = e.Producer("y");
  EXPECT_EQ(conv.op_type(), "Conv");
  EXPECT_EQ(conv.input(0), "q_dequantized");
  EXPECT_EQ(conv.input(1), "w");
  const auto& quantize = e.Producer("y_quantized");
  EXPECT_EQ(quantize.op_type(), "QuantizeLinear");
  EXPECT_EQ(quantize.input(0), "y");
  EXPECT_EQ(e.Producer("z").input(0), "y_dequantized");
  EXPECT_THAT(Elements<float>(e.Initializer("y_scale")), ElementsAre(0.1f));
  EXPECT_THAT(Elements<uint8_t>(e.Initializer("y_zero_point")), ElementsAre(3));

  const auto& weights = e.Producer("w");
  EXPECT_EQ(weights.op_type(), "DequantizeLinear");
  EXPECT_EQ(weights.attribute(0).name(), "axis");
  EXPECT_EQ(weights.attribute(0).i(), 0);
  EXPECT_THAT(Elements<int8_t>(e.Initializer("w_quantized")), ElementsAre(127, -127));
  EXPECT_THAT(Elements<float>(e.Initializer("w_scale")), ElementsAre(0.25f, 0.125f));
}

TEST(ExportTest, BiasOfAQuantizedConvolutionIsInUnitsOfItsProducts) {
  const Exported e(QuantizedConvolution({1.0f, -2.03125f}));
  EXPECT_EQ(e.Producer("y").input(2), "b_dequantized");
  EXPECT_EQ(e.Initializer("b_quantized").data_type(), ::onnx::TensorProto::INT32);
  // 1 / 0.125 = 8; -2.03125 / 0.0625 = -32.5, half to even.
  EXPECT_THAT(Elements<int32_t>(e.Initializer("b_quantized")), ElementsAre(8, -32));
  EXPECT_THAT(Elements<float>(e.Initializer("b_scale")), ElementsAre(0.125f, 0.0625f));
}

TEST(ExportTest, BiasThatFloatWouldNotHoldInUnitsStaysFloat) {
  const float unit = 0.125f, exact = 16777216.0f;  // 2^24
  const Exported below(QuantizedConvolution({unit * (exact - 1), 0}));
  EXPECT_EQ(below.Producer("y").input(2), "b_dequantized");
  const Exported at(QuantizedConvolution({unit * exact, 0}));
  EXPECT_EQ(at.Producer("y").input(2), "b");
  EXPECT_EQ(at.Initializer("b").data_type(), ::onnx::TensorProto::FLOAT);
}

TEST(ExportTest, QuantizedOutputKeepsItsNameAndType) {
  Graph graph = QuantizedConvolution({0, 0});
  graph.nodes.pop_back();
  graph.outputs = {graph.nodes.back().outputs[0]};
  const Exported e(graph);
  EXPECT_EQ(e.Producer("y").op_type(), "QuantizeLinear");
  EXPECT_EQ(e.model.graph().output(0).type().tensor_type().elem_type(), ::onnx::TensorProto::UINT8);
}

TEST(ExportTest, DynamicQuantizationIsSharedByItsConsumers) {
  Sketch s;
  const ValueId x = s.Input("x", {1, 1, 4, 4});
  const ValueId q = s.Add("q", {1, 1, 4, 4}, DataType::kUint8);
  const ValueId parameters = s.Add("q_parameters", {1}, DataType::kFloat32);
  s.graph.nodes.push_back(
      {"dynamic", graph::DynamicQuantize{.per_sample = true}, {x}, {q, parameters}});
  const ValueId w = s.Constant<int8_t>("w", DataType::kInt8, {1, 1, 1, 1}, {127});
  s.graph.value(w).quantization = Quantization{{0.25f}, {0}, 0};
  const ValueId b = s.Constant<float>("b", DataType::kFloat32, {1}, {1});
  const ValueId y = s.Add("y", {1, 1, 4, 4}), z = s.Add("z", {1, 1, 4, 4});
  s.Node("first", graph::Conv{}, {q, w, b, graph::kNoValue, parameters}, y);
  s.Node("second", graph::Conv{}, {q, w, graph::kNoValue, graph::kNoValue, parameters}, z);
  s.graph.outputs = {y, z};
  const Exported e(s.graph);
  EXPECT_THAT(e.OpTypes(), ElementsAre("DynamicQuantizeLinear", "DequantizeLinear",
                                       "DequantizeLinear", "Conv", "Conv"));
  EXPECT_EQ(e.Producer("y").input(0), e.Producer("z").input(0));
  EXPECT_EQ(e.Producer("y").input(2), "b");
  EXPECT_EQ(e.Producer("z").input_size(), 2);
}

TEST(ExportTest, HalfWeightsAreCastToFloat) {
  Sketch s;
  const ValueId x = s.Input("x", {1, 2});
  const ValueId w = s.Constant<uint16_t>("w", DataType::kFloat16, {2, 1}, {0x3c00, 0x4000});
  const ValueId y = s.Add("y", {1, 1});
  s.Node("dense", graph::MatMul{}, {x, w}, y);
  s.graph.outputs = {y};
  const Exported e(s.graph);
  EXPECT_THAT(e.OpTypes(), ElementsAre("Cast", "MatMul"));
  EXPECT_EQ(e.Initializer("w").data_type(), ::onnx::TensorProto::FLOAT16);
  EXPECT_EQ(e.Producer("y").input(1), e.model.graph().node(0).output(0));
}

TEST(ExportTest, NamesInTheFileAreUnique) {
  Sketch s;
  const ValueId x = s.Input("x", {2});
  const ValueId a = s.Add("same", {2}), b = s.Add("same", {2}), y = s.Add("y", {2});
  const graph::Eltwise abs{.function = graph::Eltwise::Function::kAbs, .activation = {}};
  s.Node("n", abs, {x}, a);
  s.Node("n", abs, {a}, b);
  s.Node("n", abs, {b}, y);
  s.graph.outputs = {y};
  const Exported e(s.graph);
  std::map<std::string, int> count;
  for (const auto& node : e.model.graph().node()) {
    ++count["node " + node.name()];
    ++count["value " + node.output(0)];
  }
  EXPECT_EQ(count.size(), 6u);
}

TEST(ExportTest, WhatNoFileCanSayIsRefusedWithTheNode) {
  Sketch s;
  const ValueId x = s.Input("x", {2, 2});
  const ValueId y = s.Add("y", {2, 2});
  s.graph.value(x).shape.reset();
  s.Node("around", graph::MatMul{.transpose_lhs = true}, {x, x}, y);
  s.graph.outputs = {y};
  const auto file = Export(s.graph);
  EXPECT_EQ(file.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(file.status().message()), HasSubstr("\"around\""));
}

TEST(ExportTest, QuantizeWithoutQuantizationIsOurBug) {
  Sketch s;
  const ValueId x = s.Input("x", {2});
  const ValueId y = s.Add("y", {2});
  s.Node("quantize", graph::Quantize{}, {x}, y);
  s.graph.outputs = {y};
  EXPECT_EQ(Export(s.graph).status().code(), absl::StatusCode::kInternal);
}

}  // namespace
}  // namespace fourfold::onnx
