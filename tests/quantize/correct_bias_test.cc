#include "server/quantize/correct_bias.h"

#include <gmock/gmock.h>

#include "server/quantize/precision.h"
#include "tests/quantize/vector_samples.h"

namespace fourfold::quantize {
namespace {

using fourfold::testing::GraphBuilder;
using fourfold::testing::RunFloat;
using fourfold::testing::Uniform;
using graph::Graph;
using graph::ValueId;

constexpr int64_t kBatch = graph::kUnknownDim;

// Two layers whose weights coarse rounding moves; `shift` moves the first layer's bias.
Graph TwoLayers(float shift) {
  GraphBuilder b;
  graph::Conv relu;
  relu.activation.kind = kernels::Activation::Kind::kRelu;
  const ValueId x = b.Input("x", {kBatch, 2, 4, 4});
  const ValueId y =
      b.Conv(x, b.Varied({3, 2, 3, 3}), b.Constant({3}, {0.5f + shift, 0.5f, 0.5f - shift}), relu);
  b.Output(b.MatMul(b.Flatten(b.GlobalAveragePool(y)), b.Varied({3, 2})));
  return b.Build();
}

absl::StatusOr<Graph> Correct(const Graph& reference, const Graph& quantized,
                              const SampleSet& samples) {
  const auto binding = BindSamples(runtime::Model(reference), samples, "samples");
  EXPECT_TRUE(binding.ok()) << binding.status();
  return CorrectBias(reference, quantized, samples, *binding, kernels::DetectCpuFeatures(), 2,
                     nullptr);
}

TEST(CorrectBiasTest, RestoresTheMeansOfAShiftedModel) {
  // Nothing is quantized here: what differs is the bias alone, so correcting restores it.
  const auto samples = testing::UniformSamples("x", {2, 4, 4}, 30, 1);
  const auto corrected = Correct(TwoLayers(0), TwoLayers(0.25f), samples);
  ASSERT_TRUE(corrected.ok()) << corrected.status();
  const std::vector<float> bias =
      corrected->value(corrected->nodes[0].inputs[2]).constant->ToFloat();
  EXPECT_THAT(bias, ::testing::Pointwise(::testing::FloatNear(1e-4f),
                                         std::vector<float>{0.5f, 0.5f, 0.5f}));
}

TEST(CorrectBiasTest, GivesABiasToALayerThatHadNone) {
  const auto samples = testing::UniformSamples("x", {2, 4, 4}, 30, 1);
  const Graph reference = TwoLayers(0);
  const auto corrected = Correct(reference, ToHybrid(reference), samples);
  ASSERT_TRUE(corrected.ok()) << corrected.status();
  const graph::Node& last = corrected->nodes.back();
  ASSERT_NE(last.as<graph::MatMul>(), nullptr);
  ASSERT_NE(corrected->ConstantInput(last, 2), nullptr);
  EXPECT_EQ(corrected->ConstantInput(last, 2)->count(), 2);
}

TEST(CorrectBiasTest, MeansOfTheAnswersComeCloserToTheReference) {
  const auto samples = testing::UniformSamples("x", {2, 4, 4}, 64, 1);
  const Graph reference = TwoLayers(0);
  // Ranges so tight that saturation moves the means.
  std::map<ValueId, Range> ranges;
  for (ValueId id = 0; id < static_cast<ValueId>(reference.value_count()); ++id) {
    if (reference.value(id).constant == nullptr) ranges[id] = {-0.6f, 0.6f};
  }
  const Graph quantized = ToInt8(reference, ranges);
  const auto corrected = Correct(reference, quantized, samples);
  ASSERT_TRUE(corrected.ok()) << corrected.status();
  const auto mean_error = [&](const Graph& graph) {
    double error[2] = {0, 0};
    for (int64_t i = 0; i < samples.size(); ++i) {
      const std::vector<float> x = testing::FromBytes<float>((*samples.Read(i))[0]);
      const std::vector<float> wanted = RunFloat(reference, {x});
      const std::vector<float> got = RunFloat(graph, {x});
      for (size_t c = 0; c < 2; ++c) error[c] += got[c] - wanted[c];
    }
    return std::abs(error[0]) + std::abs(error[1]);
  };
  EXPECT_LT(mean_error(*corrected), 0.2 * mean_error(quantized));
}

}  // namespace
}  // namespace fourfold::quantize
