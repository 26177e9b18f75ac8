#include "server/quantize/weights.h"

#include <gmock/gmock.h>

#include <cmath>

#include "tests/runtime/run_graph.h"

namespace fourfold::quantize {
namespace {

using fourfold::testing::GraphBuilder;
using fourfold::testing::Uniform;
using graph::DataType;
using graph::Tensor;
using graph::ValueId;
using ::testing::Each;
using ::testing::ElementsAre;

TEST(QuantizeWeightsTest, ErrorsAreAtMostHalfAStepOfTheirChannel) {
  for (int axis : {0, 1, 2}) {
    const graph::Shape shape = {5, 4, 7};
    std::vector<float> values = Uniform(140, static_cast<uint32_t>(axis));
    values[3] = 100;  // spoils its own channel only
    const QuantizedWeights q =
        QuantizeWeights(*Tensor::Of(DataType::kFloat32, shape, values), axis);
    const auto channels = static_cast<size_t>(shape[static_cast<size_t>(axis)]);
    ASSERT_EQ(q.quantization.axis, axis);
    ASSERT_EQ(q.quantization.scale.size(), channels);
    EXPECT_THAT(q.quantization.zero_point, Each(0));
    const size_t inner = axis == 0 ? 28 : axis == 1 ? 7 : 1;
    int largest = 0;
    for (size_t i = 0; i < values.size(); ++i) {
      const int code = q.tensor->as<int8_t>()[i];
      const float scale = q.quantization.scale[i / inner % channels];
      EXPECT_LE(std::fabs(values[i] - static_cast<float>(code) * scale), scale * 0.50001f);
      EXPECT_GE(code, -127);
      largest = std::max(largest, std::abs(code));
    }
    EXPECT_EQ(largest, 127);
  }
}

TEST(QuantizeWeightsTest, ADeadChannelTakesTheScaleOfTheLargest) {
  const QuantizedWeights q =
      QuantizeWeights(*Tensor::Of<float>(DataType::kFloat32, {3, 1}, {0, 127, -12.7f}), 0);
  EXPECT_THAT(q.quantization.scale, ElementsAre(1.0f, 1.0f, 0.1f));
  EXPECT_THAT(q.tensor->as<int8_t>(), ElementsAre(0, 127, -127));
}

TEST(QuantizeWeightsTest, ZerosHaveAUsableScale) {
  const QuantizedWeights q =
      QuantizeWeights(*Tensor::Of<float>(DataType::kFloat32, {2, 2}, {0, 0, 0, 0}), 0);
  EXPECT_THAT(q.tensor->as<int8_t>(), Each(0));
  EXPECT_THAT(q.quantization.scale, Each(::testing::Gt(0.0f)));
}

TEST(QuantizeWeightsTest, ScalesAreNoSmallerThanAsked) {
  const QuantizedWeights q =
      QuantizeWeights(*Tensor::Of<float>(DataType::kFloat32, {2, 1}, {127, 127}), 0, {0.5f, 2.0f});
  EXPECT_THAT(q.quantization.scale, ElementsAre(1.0f, 2.0f));
  EXPECT_THAT(q.tensor->as<int8_t>(), ElementsAre(127, 64));
}

TEST(QuantizeWeightsTest, TellsWhichWeightsCanBeQuantized) {
  GraphBuilder b;
  const ValueId x = b.Input("x", {2, 4});
  const ValueId c = b.Input("c", {3});
  b.Named("plain").MatMul(x, b.Varied({4, 3}), b.Varied({3}));
  b.Named("computed_rhs").MatMul(x, b.Input("rhs", {4, 3}));
  b.Named("computed_bias").MatMul(x, b.Varied({4, 3}), c);
  b.Named("odd_bias").MatMul(x, b.Varied({4, 3}), b.Varied({2, 1}));
  b.Named("half").MatMul(
      x, b.Constant(Tensor::Of<uint16_t>(DataType::kFloat16, {4, 1}, {0, 0, 0, 0})));
  graph::MatMul transposed;
  transposed.transpose_lhs = true;
  b.Named("transposed").MatMul(x, b.Varied({2, 3}), GraphBuilder::kNone, transposed);
  b.Named("stack").MatMul(x, b.Varied({5, 4, 3}));
  b.Named("sum").Sum(x, x);
  const graph::Graph graph = b.BuildUnchecked();
  std::vector<std::string> names;
  for (const graph::Node& node : graph.nodes) {
    if (HasQuantizableWeights(graph, node)) names.push_back(node.name);
  }
  EXPECT_THAT(names, ElementsAre("plain"));
}

}  // namespace
}  // namespace fourfold::quantize
