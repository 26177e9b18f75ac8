#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/passes/passes.h"
#include "server/runtime/executor.h"
#include "server/runtime/model.h"
#include "tests/onnx/model_builder.h"

// Quantized operators, from files written message by message, run as the server runs them.
namespace fourfold::onnx {
namespace {

using ::onnx::TensorProto;
using ::testing::ElementsAre;
using ::testing::FloatEq;
using ::testing::HasSubstr;
using ::testing::Pointwise;

void AddTensor(ModelBuilder& builder, const std::string& name, int32_t type,
               const std::vector<int64_t>& dims, const std::vector<int32_t>& elements) {
  auto& tensor = *builder.graph().add_initializer();
  tensor.set_name(name);
  tensor.set_data_type(type);
  for (int64_t dim : dims) tensor.add_dims(dim);
  for (int32_t element : elements) tensor.add_int32_data(element);
}

void Bytes(ModelBuilder& builder, const std::string& name, const std::vector<int64_t>& dims,
           const std::vector<int32_t>& elements, int32_t type = TensorProto::UINT8) {
  AddTensor(builder, name, type, dims, elements);
}

void Scale(ModelBuilder& builder, const std::string& name, float scale) {
  builder.Floats(name, {}, {scale});
}

struct Ran {
  std::shared_ptr<const runtime::Model> model;
  std::vector<std::vector<std::byte>> outputs;

  template <typename T>
  std::vector<T> Output(size_t i = 0) const {
    const auto* data = reinterpret_cast<const T*>(outputs[i].data());
    return {data, data + outputs[i].size() / sizeof(T)};
  }
  double int8_macs() const {
    int64_t int8 = 0, all = 0;
    const auto plan = *model->PlanFor(*model->ShapesForBatch(1));
    for (const runtime::StepInfo& step : plan->steps()) {
      all += step.macs;
      if (step.arithmetic == "int8" || step.arithmetic == "dynamic int8") int8 += step.macs;
    }
    return all == 0 ? 0 : static_cast<double>(int8) / static_cast<double>(all);
  }
};

template <typename T>
std::vector<std::byte> BytesOf(const std::vector<T>& values) {
  const auto* data = reinterpret_cast<const std::byte*>(values.data());
  return {data, data + values.size() * sizeof(T)};
}

Ran Execute(const ModelBuilder& builder, const std::vector<std::vector<std::byte>>& inputs) {
  Ran ran;
  absl::StatusOr<graph::Graph> graph = builder.Import();
  EXPECT_TRUE(graph.ok()) << graph.status();
  const absl::Status optimized = passes::Optimize(*graph);
  EXPECT_TRUE(optimized.ok()) << optimized;
  ran.model = std::make_shared<const runtime::Model>(*std::move(graph));
  const auto shapes = ran.model->ShapesForBatch(1);
  EXPECT_TRUE(shapes.ok()) << shapes.status();
  const auto plan = ran.model->PlanFor(*shapes);
  EXPECT_TRUE(plan.ok()) << plan.status();
  if (!plan.ok()) return ran;
  std::vector<const void*> in;
  std::vector<void*> out;
  for (const auto& input : inputs) in.push_back(input.data());
  for (const auto& output : (*plan)->outputs()) ran.outputs.emplace_back(output.bytes());
  for (auto& output : ran.outputs) out.push_back(output.data());
  runtime::Arena arena;
  kernels::Sequential sequential;
  EXPECT_TRUE(runtime::Run(**plan, arena, in, out, sequential).ok());
  return ran;
}

// Test test_qlinearmatmul_2D of ONNX.
TEST(ImportQuantizedTest, QLinearMatMulEqualsTheExampleOfOnnx) {
  for (const bool constant : {true, false}) {
    ModelBuilder builder;
    builder.Input("a", {2, 4}, TensorProto::UINT8);
    std::vector<std::vector<std::byte>> inputs = {
        BytesOf<uint8_t>({208, 236, 0, 238, 3, 214, 255, 29})};
    const std::vector<int32_t> b = {152, 51, 244, 60, 26, 255, 0, 127, 246, 127, 254, 247};
    const auto scale = [&](const std::string& name, float number) {
      if (constant) return Scale(builder, name, number);
      builder.Input(name, {1});
      inputs.push_back(BytesOf<float>({number}));
    };
    const auto zero = [&](const std::string& name, int32_t number) {
      if (constant) return Bytes(builder, name, {}, {number});
      builder.Input(name, {1}, TensorProto::UINT8);
      inputs.push_back(BytesOf<uint8_t>({static_cast<uint8_t>(number)}));
    };
    scale("as", 0.0066f);
    zero("az", 113);
    if (constant) {
      Bytes(builder, "b", {4, 3}, b);
    } else {
      builder.Input("b", {4, 3}, TensorProto::UINT8);
      inputs.push_back(BytesOf(std::vector<uint8_t>(b.begin(), b.end())));
    }
    scale("bs", 0.00705f);
    zero("bz", 114);
    scale("ys", 0.0107f);
    zero("yz", 118);
    builder.Node("QLinearMatMul", {"a", "as", "az", "b", "bs", "bz", "ys", "yz"}, {"y"});
    builder.Output("y");
    const Ran ran = Execute(builder, inputs);
    EXPECT_THAT(ran.Output<uint8_t>(), ElementsAre(168, 115, 255, 1, 66, 151));
    if (constant) {
      EXPECT_EQ(ran.int8_macs(), 1.0);
    }
  }
}

// One pixel, 1x1: what is computed can be written out. Weights of uint8 with a zero point, a bias.
TEST(ImportQuantizedTest, QLinearConvIsOneIntegerKernel) {
  ModelBuilder builder;
  builder.Input("x", {1, 2, 2, 2}, TensorProto::UINT8);
  Scale(builder, "xs", 0.5f);
  Bytes(builder, "xz", {}, {10});
  Bytes(builder, "w", {2, 2, 1, 1}, {130, 120, 255, 0});
  Scale(builder, "ws", 0.25f);
  Bytes(builder, "wz", {}, {127});
  Scale(builder, "ys", 2.0f);
  Bytes(builder, "yz", {}, {100});
  AddTensor(builder, "b", TensorProto::INT32, {2}, {8, -160});
  builder.Node("QLinearConv", {"x", "xs", "xz", "w", "ws", "wz", "ys", "yz", "b"}, {"y"});
  builder.Output("y");
  const std::vector<uint8_t> x = {10, 11, 30, 255, 12, 0, 90, 10};
  const Ran ran = Execute(builder, {BytesOf(x)});
  std::vector<uint8_t> want;
  const int w[2][2] = {{3, -7}, {128, -127}}, bias[2] = {8, -160};
  for (int o = 0; o < 2; ++o) {
    for (size_t i = 0; i < 4; ++i) {
      const int sum = (x[i] - 10) * w[o][0] + (x[i + 4] - 10) * w[o][1] + bias[o];
      want.push_back(static_cast<uint8_t>(
          std::clamp(std::nearbyint(static_cast<float>(sum) * 0.0625f) + 100.0f, 0.0f, 255.0f)));
    }
  }
  EXPECT_EQ(ran.Output<uint8_t>(), want);
  EXPECT_EQ(ran.int8_macs(), 1.0);
}

TEST(ImportQuantizedTest, ABiasBeyondThePrecisionOfFloatTimesScaleStaysExact) {
  ModelBuilder builder;
  builder.Input("x", {1, 1}, TensorProto::UINT8);
  Scale(builder, "xs", 0.1f);
  Bytes(builder, "xz", {}, {0});
  Bytes(builder, "w", {1, 1}, {1}, TensorProto::INT8);
  Scale(builder, "ws", 0.3f);
  Bytes(builder, "wz", {}, {0}, TensorProto::INT8);
  AddTensor(builder, "b", TensorProto::INT32, {1}, {-16777215});  // needs all 24 bits
  Scale(builder, "bs", 0.1f * 0.3f);
  builder.Node("DequantizeLinear", {"x", "xs", "xz"}, {"xr"});
  builder.Node("DequantizeLinear", {"w", "ws", "wz"}, {"wr"});
  builder.Node("DequantizeLinear", {"b", "bs"}, {"br"});
  builder.Node("Gemm", {"xr", "wr", "br"}, {"y"});
  builder.Output("y");
  const float unit = 0.1f * 0.3f;
  EXPECT_EQ(Execute(builder, {BytesOf<uint8_t>({3})}).Output<float>()[0], -16777212.0f * unit);
}

TEST(ImportQuantizedTest, ConvIntegerAndMatMulIntegerGiveInt32) {
  ModelBuilder builder;
  builder.Input("x", {1, 1, 3, 3}, TensorProto::UINT8);
  Bytes(builder, "w", {1, 1, 2, 2}, {1, 1, 1, 1});
  Bytes(builder, "z", {}, {1});
  builder.Node("ConvInteger", {"x", "w", "z"}, {"y"});
  builder.Output("y");
  EXPECT_THAT(Execute(builder, {BytesOf<uint8_t>({2, 3, 4, 5, 6, 7, 8, 9, 10})}).Output<int32_t>(),
              ElementsAre(12, 16, 24, 28));
}

// ONNX's test_dynamicquantizelinear.
TEST(ImportQuantizedTest, DynamicQuantizeLinearEqualsTheExampleOfOnnx) {
  ModelBuilder builder;
  builder.Input("x", {6});
  builder.Node("DynamicQuantizeLinear", {"x"}, {"y", "scale", "zero"});
  for (const char* name : {"y", "scale", "zero"}) builder.Output(name);
  const Ran ran = Execute(builder, {BytesOf<float>({0, 2, -3, -2.5f, 1.34f, 0.5f})});
  EXPECT_THAT(ran.Output<uint8_t>(0), ElementsAre(153, 255, 0, 26, 221, 179));
  EXPECT_THAT(ran.Output<float>(1), ElementsAre(FloatEq(0.0196078438f)));
  EXPECT_THAT(ran.Output<uint8_t>(2), ElementsAre(153));
  const Ran flat = Execute(builder, {BytesOf<float>({0, 0, 0, 0, 0, 0})});
  EXPECT_THAT(flat.Output<float>(1), ElementsAre(1.0f));
}

TEST(ImportQuantizedTest, ADynamicallyQuantizedProductIsTheHybridForm) {
  ModelBuilder builder;
  builder.Input("x", {2, 3});
  Bytes(builder, "w", {3, 2}, {100, -50, 20, 127, -127, 3}, TensorProto::INT8);
  Scale(builder, "ws", 0.01f);
  Bytes(builder, "wz", {}, {0}, TensorProto::INT8);
  builder.Floats("bias", {2}, {0.5f, -0.25f});
  builder.Node("DynamicQuantizeLinear", {"x"}, {"q", "s", "z"});
  builder.Node("MatMulInteger", {"q", "w", "z", "wz"}, {"sums"});
  AddInt(builder.Node("Cast", {"sums"}, {"numbers"}), "to", TensorProto::FLOAT);
  builder.Node("Mul", {"s", "ws"}, {"factor"});
  builder.Node("Mul", {"numbers", "factor"}, {"scaled"});
  builder.Node("Add", {"scaled", "bias"}, {"y"});
  builder.Output("y");
  const std::vector<float> x = {1, -0.5f, 0.25f, 0.1f, 0.2f, 0.3f};
  const Ran ran = Execute(builder, {BytesOf(x)});
  EXPECT_EQ(ran.int8_macs(), 1.0);
  const float w[3][2] = {{1, -0.5f}, {0.2f, 1.27f}, {-1.27f, 0.03f}};
  for (size_t i = 0; i < 4; ++i) {
    float want = i % 2 == 0 ? 0.5f : -0.25f;
    for (size_t k = 0; k < 3; ++k) want += x[i / 2 * 3 + k] * w[k][i % 2];
    EXPECT_NEAR(ran.Output<float>()[i], want, 0.02f) << i;
  }
}

TEST(ImportQuantizedTest, BlocksOfFourBitsAreUnpacked) {
  ModelBuilder builder(21);
  builder.Input("x", {1, 4});
  AddTensor(builder, "w", 22, {4, 2}, {0x21, 0x87, 0x0F, 0x43});  // 1 2, 7 -8, -1 0, 3 4
  builder.Floats("s", {2, 2}, {1.0f, 0.5f, 10.0f, 2.0f});
  AddTensor(builder, "z", 22, {2, 2}, {0x10, 0x00});  // 0 1, 0 0
  auto& node = builder.Node("DequantizeLinear", {"w", "s", "z"}, {"wr"});
  AddInt(node, "axis", 0);
  AddInt(node, "block_size", 2);
  builder.Node("MatMul", {"x", "wr"}, {"y"});
  builder.Output("y");
  // Columns: 1, 7, -10, 30 and 0.5 (2 - 1), 0.5 (-8 - 1), 0, 2 * 4.
  EXPECT_THAT(Execute(builder, {BytesOf<float>({1, 10, 100, 1000})}).Output<float>(),
              ElementsAre(29071.0f, 7955.5f));
}

TEST(ImportQuantizedTest, SixteenBitsAndSlicesOfActivationsAreComputedInFloat) {
  ModelBuilder builder(21);
  builder.Input("x", {2, 3});
  builder.Floats("s", {3}, {1.0f, 0.5f, 0.25f});
  AddTensor(builder, "z", TensorProto::INT16, {3}, {0, 1000, -5});
  AddInt(builder.Node("QuantizeLinear", {"x", "s", "z"}, {"q"}), "axis", 1);
  AddInt(builder.Node("DequantizeLinear", {"q", "s", "z"}, {"y"}), "axis", 1);
  builder.Output("q");
  builder.Output("y");
  const Ran ran = Execute(builder, {BytesOf<float>({1.5f, -2, 0.3f, 1e9f, -1e9f, 0})});
  EXPECT_THAT(ran.Output<int16_t>(0), ElementsAre(2, 996, -4, 32767, -32768, -5));
  EXPECT_THAT(ran.Output<float>(1), ElementsAre(2.0f, -2.0f, 0.25f, 32767.0f, -16884.0f, 0.0f));
}

// As PyTorch and Brevitas write them: symmetric int8 activations, float weights that are quantized
// in the graph, per channel, cut off to [-127, 127].
TEST(ImportQuantizedTest, WeightsQuantizedInTheGraphBecomeIntegers) {
  ModelBuilder builder;
  builder.Input("x", {1, 1, 2, 2});
  builder.Floats("w", {2, 1, 1, 1}, {0.5f, -1.28f});
  builder.Floats("ws", {2}, {0.25f, 0.01f});
  Bytes(builder, "wz", {2}, {0, 0}, TensorProto::INT8);
  Bytes(builder, "low", {}, {-127}, TensorProto::INT8);
  Bytes(builder, "high", {}, {127}, TensorProto::INT8);
  Scale(builder, "s", 0.5f);
  Bytes(builder, "z", {}, {0}, TensorProto::INT8);
  AddInt(builder.Node("QuantizeLinear", {"w", "ws", "wz"}, {"wq"}), "axis", 0);
  builder.Node("Clip", {"wq", "low", "high"}, {"wc"});
  AddInt(builder.Node("DequantizeLinear", {"wc", "ws", "wz"}, {"wr"}), "axis", 0);
  builder.Node("QuantizeLinear", {"x", "s", "z"}, {"xq"});
  builder.Node("DequantizeLinear", {"xq", "s", "z"}, {"xr"});
  builder.Node("Conv", {"xr", "wr"}, {"y"});
  builder.Output("y");
  const Ran ran = Execute(builder, {BytesOf<float>({1, -2, 3.3f, 100})});
  EXPECT_EQ(ran.int8_macs(), 1.0);
  EXPECT_THAT(ran.Output<float>(),
              Pointwise(::testing::FloatNear(1e-5f),
                        {0.5f, -1.0f, 1.75f, 31.75f, -1.27f, 2.54f, -4.445f, -80.645f}));
}

TEST(ImportQuantizedTest, OperatorsOfOnnxRuntimeBecomeTheQuantizedForm) {
  ModelBuilder builder;
  auto& opset = *builder.model().add_opset_import();
  opset.set_domain("com.microsoft");
  opset.set_version(1);
  builder.Input("a", {1, 2, 2, 2}, TensorProto::UINT8);
  Scale(builder, "s", 0.5f);
  Bytes(builder, "z", {}, {4});
  Scale(builder, "t", 1.0f);
  const auto node = [&](const std::string& op, const std::vector<std::string>& inputs,
                        const std::string& output) -> ::onnx::NodeProto& {
    auto& added = builder.Node(op, inputs, {output});
    added.set_domain("com.microsoft");
    return added;
  };
  node("QLinearAdd", {"a", "s", "z", "a", "s", "z", "t", "z"}, "sum");
  node("QLinearLeakyRelu", {"sum", "t", "z", "t", "z"}, "leaky");
  AddFloat(*builder.graph().mutable_node(1), "alpha", 0.5f);
  AddInt(node("QLinearConcat", {"t", "z", "sum", "t", "z", "leaky", "t", "z"}, "both"), "axis", 1);
  AddInt(node("QLinearGlobalAveragePool", {"both", "t", "z", "t", "z"}, "mean"), "channels_last",
         0);
  for (const char* name : {"sum", "leaky", "mean"}) builder.Output(name);
  const Ran ran = Execute(builder, {BytesOf<uint8_t>({4, 6, 0, 8, 14, 24, 34, 44})});
  EXPECT_THAT(ran.Output<uint8_t>(0), ElementsAre(4, 6, 0, 8, 14, 24, 34, 44));
  EXPECT_THAT(ran.Output<uint8_t>(1), ElementsAre(4, 6, 2, 8, 14, 24, 34, 44));
  EXPECT_THAT(ran.Output<uint8_t>(2), ElementsAre(4, 29, 5, 29));  // 0.5, 25, 1, 25
}

TEST(ImportQuantizedTest, QGemmScalesProductAndBiasByAlpha) {
  ModelBuilder builder;
  auto& opset = *builder.model().add_opset_import();
  opset.set_domain("com.microsoft");
  opset.set_version(1);
  builder.Input("a", {1, 2}, TensorProto::UINT8);
  Scale(builder, "as", 0.5f);
  Bytes(builder, "az", {}, {1});
  Bytes(builder, "b", {2, 2}, {1, 2, -3, 4}, TensorProto::INT8);
  builder.Floats("bs", {2}, {0.5f, 0.25f});
  Bytes(builder, "bz", {2}, {0, 0}, TensorProto::INT8);
  AddTensor(builder, "c", TensorProto::INT32, {2}, {10, -20});
  auto& node = builder.Node("QGemm", {"a", "as", "az", "b", "bs", "bz", "c"}, {"y"});
  node.set_domain("com.microsoft");
  AddInt(node, "transB", 1);
  AddFloat(node, "alpha", 2.0f);
  builder.Output("y");
  // (5 - 1, 9 - 1) times (1, 2) and (-3, 4), and the bias, in units of 2 * 0.5 * scale.
  EXPECT_THAT(Execute(builder, {BytesOf<uint8_t>({5, 9})}).Output<float>(),
              ElementsAre(15.0f, 0.0f));
}

TEST(ImportQuantizedTest, TypesThatWeLackAreRefusedByName) {
  ModelBuilder builder(19);
  builder.Input("x", {1, 4});
  Scale(builder, "s", 0.5f);
  AddTensor(builder, "z", 17, {}, {0});
  builder.Node("QuantizeLinear", {"x", "s", "z"}, {"y"});
  builder.Output("y");
  const absl::StatusOr<graph::Graph> graph = builder.Import();
  EXPECT_EQ(graph.status().code(), absl::StatusCode::kUnimplemented);
  EXPECT_THAT(std::string(graph.status().message()), HasSubstr("FLOAT8E4M3FN"));
}

TEST(ImportQuantizedTest, BlocksThatDoNotFitTheirTensorAreRefused) {
  ModelBuilder builder(21);
  AddTensor(builder, "w", TensorProto::INT8, {4, 2}, {1, 2, 3, 4, 5, 6, 7, 8});
  builder.Floats("s", {3, 2}, {1, 1, 1, 1, 1, 1});
  auto& node = builder.Node("DequantizeLinear", {"w", "s"}, {"y"});
  AddInt(node, "axis", 0);
  AddInt(node, "block_size", 2);
  builder.Output("y");
  const absl::StatusOr<graph::Graph> graph = builder.Import();
  EXPECT_EQ(graph.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(graph.status().message()), HasSubstr("blocks of 2"));
}

}  // namespace
}  // namespace fourfold::onnx
