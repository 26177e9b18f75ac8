// Models that come quantized.

#include "server/quantize/quantized_model.h"

#include <gmock/gmock.h>

#include <map>

#include "server/graph/infer_shapes.h"
#include "server/graph/validate.h"
#include "server/onnx/export.h"
#include "server/onnx/import.h"
#include "server/passes/passes.h"
#include "server/quantize/make_variants.h"
#include "tests/quantize/vector_samples.h"

namespace fourfold::quantize {
namespace {

using fourfold::testing::Count;
using fourfold::testing::GraphBuilder;
using fourfold::testing::Only;
using fourfold::testing::UniformSamples;
using fourfold::testing::VectorSamples;
using graph::DataType;
using graph::Graph;
using graph::Node;
using graph::ValueId;
using kernels::Activation;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// As a converter of int8 files leaves it: the ReLU is the range of the convolution's int8 result.
// The same weights as uint8 with a zero point in the second layer.
void BuildNet(GraphBuilder& b) {
  const ValueId x =
      b.QuantizeDequantize(b.Input("x", {graph::kUnknownDim, 1, 2, 2}), 0.5f, 3, DataType::kInt8);
  const ValueId bias = b.Add(
      graph::Dequantize{0}, {b.Constant(graph::Tensor::Of<int32_t>(DataType::kInt32, {2}, {4, -8})),
                             b.Constant({2}, {0.125f, 0.25f})});
  const ValueId weights = b.QuantizedWeights({2, 1, 1, 1}, {2, -4}, {0.25f, 0.5f}, 0);
  const ValueId conv = b.Named("first").Conv(x, weights, bias);
  const ValueId pooled = b.MaxPool(b.QuantizeDequantize(conv, 0.5f, -128, DataType::kInt8), {2, 2});
  const ValueId w = b.Dequantize(b.Bytes(DataType::kUint8, {2, 2}, {1, 255, 60, 101}), 0.5f, 100);
  const ValueId rows = b.Reshape(pooled, {-1, 2});
  const ValueId y = b.Named("second").MatMul(rows, w);
  b.Output(b.QuantizeDequantize(y, 2.0f, 128, DataType::kUint8), "y");
}

Graph Net() {
  GraphBuilder b;
  BuildNet(b);
  Graph graph = b.Build();
  const absl::Status status = passes::Optimize(graph, {.fuse_residuals = false});
  EXPECT_TRUE(status.ok()) << status;
  return graph;
}

std::string NetFile() {
  GraphBuilder b;
  BuildNet(b);
  const auto file = onnx::Export(b.Build());
  EXPECT_TRUE(file.ok()) << file.status();
  return *file;
}

const Node& NodeNamed(const Graph& graph, const std::string& name) {
  for (const Node& node : graph.nodes) {
    if (node.name == name) return node;
  }
  ADD_FAILURE() << "no node " << name;
  return graph.nodes.front();
}

TEST(QuantizedModelTest, WeightsAreTheNumbersThatTheirIntegersMean) {
  const Graph real = ToFloat32(Net());
  for (ValueId id = 0; id < static_cast<ValueId>(real.value_count()); ++id) {
    EXPECT_FALSE(real.value(id).quantization.has_value()) << real.value(id).name;
  }
  const Node& first = NodeNamed(real, "first");
  EXPECT_THAT(real.ConstantInput(first, 1)->ToFloat(), ElementsAre(0.5f, -2.0f));
  EXPECT_THAT(real.ConstantInput(first, 2)->ToFloat(), ElementsAre(0.5f, -2.0f));
  EXPECT_THAT(real.ConstantInput(NodeNamed(real, "second"), 1)->ToFloat(),
              ElementsAre(-49.5f, 77.5f, -20.0f, 0.5f));
}

TEST(QuantizedModelTest, ActivationsAreCutOffWhereTheirIntegersEnd) {
  Graph real = ToFloat32(Net());
  EXPECT_EQ(NodeNamed(real, "first").as<graph::Conv>()->activation,
            (Activation{Activation::Kind::kClip, 0.0f, 127.5f}));
  EXPECT_EQ(NodeNamed(real, "second").as<graph::MatMul>()->activation,
            (Activation{Activation::Kind::kClip, -256.0f, 254.0f}));
  // The input by a node of its own; the maximum of what lies within the range needs none.
  const Node* clip = Only<graph::Eltwise>(real);
  ASSERT_NE(clip, nullptr);
  EXPECT_EQ(clip->as<graph::Eltwise>()->activation,
            (Activation{Activation::Kind::kClip, -65.5f, 62.0f}));
  ASSERT_TRUE(graph::InferShapes(real).ok());
  EXPECT_TRUE(graph::Validate(real).ok()) << graph::Validate(real);
  EXPECT_FALSE(IsQuantized(real));
}

TEST(QuantizedModelTest, AnExplicitClipWithinTheRangeStays) {
  GraphBuilder b;
  const ValueId x = b.QuantizeDequantize(b.Relu(b.Input("x", {1, 2})), 0.5f, 0);
  const ValueId y =
      b.Clip(b.MatMul(x, b.QuantizedWeights({2, 2}, {1, 2, 3, 4}, {0.5f}, 1)), 0.0f, 6.0f);
  b.Output(b.Softmax(b.QuantizeDequantize(y, 1.0f, 10)));
  Graph graph = b.Build();
  ASSERT_TRUE(passes::Optimize(graph).ok());
  ASSERT_TRUE(IsQuantized(graph));
  const Graph real = ToFloat32(graph);
  EXPECT_EQ(Only<graph::MatMul>(real)->as<graph::MatMul>()->activation,
            (Activation{Activation::Kind::kClip, 0.0f, 6.0f}));
}

TEST(QuantizedModelTest, WhatTheCallerFeedsAndReadsKeepsItsType) {
  GraphBuilder b;
  const ValueId x = b.Dequantize(b.Input("x", {1, 2}, DataType::kUint8), 0.5f, 0);
  const ValueId y = b.MatMul(x, b.QuantizedWeights({2, 2}, {1, 2, 3, 4}, {0.5f}, 1));
  b.Output(b.Quantize(y, 1.0f, 10), "y");
  Graph graph = b.Build();
  ASSERT_TRUE(passes::Optimize(graph).ok());
  const Graph real = ToFloat32(graph);
  EXPECT_EQ(real.value(real.inputs[0]).type, DataType::kUint8);
  EXPECT_EQ(real.value(real.outputs[0]).type, DataType::kUint8);
  EXPECT_FALSE(real.value(Only<graph::MatMul>(real)->inputs[1]).quantization.has_value());
}

TEST(QuantizedModelTest, ActivationsQuantizedAsTheyComeAreJustRead) {
  GraphBuilder b;
  const ValueId x = b.Input("x", {graph::kUnknownDim, 2});
  b.Output(b.MatMul(b.DynamicQuantizeDequantize(x),
                    b.QuantizedWeights({2, 2}, {1, 2, 3, 4}, {0.5f}, 1)));
  Graph graph = b.Build();
  ASSERT_TRUE(passes::Optimize(graph).ok());
  ASSERT_TRUE(IsDynamicallyQuantized(graph));
  EXPECT_FALSE(IsQuantized(graph));
  const Graph real = ToFloat32(graph);
  EXPECT_EQ(Count<graph::DynamicQuantize>(real), 0u);
  EXPECT_EQ(Only<graph::MatMul>(real)->inputs[0], x);
  EXPECT_EQ(Only<graph::MatMul>(real)->inputs.size(), 2u);
}

struct Outcome {
  absl::StatusOr<report::Report> report = absl::InternalError("not run");
  std::map<std::string, std::string> files;
};

Outcome Make(const SampleSet* calibration, bool recalibrate) {
  Outcome outcome;
  VariantsOptions options;
  options.measure_seconds = 0.01;
  options.recalibrate = recalibrate;
  const std::string file = NetFile();
  outcome.report = MakeVariants(
      std::as_bytes(std::span(file)), calibration, nullptr, options,
      [&](const std::string& name, absl::string_view bytes) {
        outcome.files[name] = std::string(bytes);
        return absl::OkStatus();
      },
      nullptr);
  return outcome;
}

TEST(QuantizedModelTest, ItsInt8VariantHasTheScalesItCameWith) {
  const Outcome outcome = Make(nullptr, false);
  ASSERT_TRUE(outcome.report.ok()) << outcome.report.status();
  ASSERT_EQ(outcome.report->variants.size(), 4u);
  const report::Variant& int8 = outcome.report->variants[3];
  EXPECT_EQ(int8.executed.int8_macs, 1.0);
  EXPECT_THAT(int8.executed.note, HasSubstr("own scales"));
  EXPECT_TRUE(int8.is_default) << "what was uploaded, as nothing was measured";
  auto graph = onnx::Import(std::as_bytes(std::span(outcome.files.at("int8.onnx"))));
  ASSERT_TRUE(graph.ok()) << graph.status();
  ASSERT_TRUE(passes::Optimize(*graph).ok());
  const graph::Value& first = graph->value(NodeNamed(*graph, "first").outputs[0]);
  EXPECT_EQ(first.quantization, (graph::Quantization{{0.5f}, {-128}, -1}));
  EXPECT_EQ(first.type, DataType::kInt8);
  const Node& second = NodeNamed(*graph, "second");
  EXPECT_THAT(graph->ConstantInput(second, 1)->ToInt64(), ElementsAre(1, 255, 60, 101));
  EXPECT_EQ(graph->value(second.inputs[1]).quantization, (graph::Quantization{{0.5f}, {100}, -1}));
  EXPECT_THAT(graph->ConstantInput(NodeNamed(*graph, "first"), 2)->ToInt64(), ElementsAre(4, -8));
}

TEST(QuantizedModelTest, ItIsCalibratedAnewOnlyWhereAskedFor) {
  const VectorSamples samples = UniformSamples("x", {1, 2, 2}, 20, 1);
  const Outcome as_it_is = Make(&samples, false);
  ASSERT_TRUE(as_it_is.report.ok()) << as_it_is.report.status();
  EXPECT_THAT(as_it_is.report->variants[3].executed.note, HasSubstr("own scales"));
  ASSERT_TRUE(as_it_is.report->variants[3].fidelity);
  const Outcome anew = Make(&samples, true);
  ASSERT_TRUE(anew.report.ok()) << anew.report.status();
  EXPECT_THAT(anew.report->variants[3].executed.note, HasSubstr("calibrated by"));
  EXPECT_EQ(Make(nullptr, true).report.status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace fourfold::quantize
