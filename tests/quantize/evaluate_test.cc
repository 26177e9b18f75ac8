#include "server/quantize/evaluate.h"

#include <gmock/gmock.h>

#include <cmath>

#include "absl/strings/str_cat.h"
#include "server/quantize/statistics.h"
#include "tests/quantize/vector_samples.h"

namespace fourfold::quantize {
namespace {

using fourfold::testing::GraphBuilder;
using fourfold::testing::VectorSamples;
using runtime::Model;

// Answers with its input times `weights` (square).
std::shared_ptr<const Model> Linear(const std::vector<float>& weights) {
  const auto n = static_cast<int64_t>(std::lround(std::sqrt(static_cast<double>(weights.size()))));
  GraphBuilder b;
  const graph::ValueId x = b.Input("x", {graph::kUnknownDim, n});
  b.Output(b.MatMul(x, b.Constant({n, n}, weights)));
  return std::make_shared<const Model>(b.Build());
}

std::vector<Evaluation> Compare(const std::vector<std::shared_ptr<const Model>>& models,
                                const SampleSet& samples, int workers = 1, int64_t count = 0) {
  const auto binding = BindSamples(*models[0], samples, "samples");
  EXPECT_TRUE(binding.ok()) << binding.status();
  const auto result = Evaluate(models, samples, *binding, count, workers, nullptr);
  EXPECT_TRUE(result.ok()) << result.status();
  return *result;
}

const std::vector<float> kSame = {1, 0, 0, 1};
const std::vector<float> kSwapped = {0, 1, 1, 0};

TEST(EvaluateTest, AModelIsIdenticalToItself) {
  const auto model = Linear(kSame);
  const auto result = Compare({model, model}, VectorSamples("x", {2}, {{1, 2}, {3, -4}}));
  for (const Evaluation& evaluation : result) {
    EXPECT_FALSE(evaluation.labelled);
    EXPECT_EQ(evaluation.fidelity.samples, 2);
    EXPECT_EQ(evaluation.fidelity.top1_agreement, 1);
    EXPECT_EQ(evaluation.fidelity.agreement_low95, LowerBoundOfProportion(2, 2, 0.95));
    EXPECT_EQ(evaluation.fidelity.sqnr_db, 200);
    EXPECT_NEAR(evaluation.fidelity.cosine, 1, 1e-12);
  }
}

TEST(EvaluateTest, CountsTheLabelsThatAreHit) {
  auto samples = VectorSamples("x", {2}, {{1, 0}, {0, 1}, {2, 1}, {1, 2}});
  samples.Labels({0, 1, 1, 1});
  const auto result = Compare({Linear(kSame), Linear(kSwapped)}, samples, 3);
  EXPECT_EQ(result[0].labelled->samples, 4);
  EXPECT_EQ(result[0].labelled->top1, 0.75);
  EXPECT_EQ(result[0].labelled->top5, 1);
  EXPECT_EQ(result[1].labelled->top1, 0.25);
  EXPECT_EQ(result[1].fidelity.top1_agreement, 0);
}

TEST(EvaluateTest, TopFiveOfMany) {
  std::vector<float> identity(64, 0);
  for (size_t i = 0; i < 8; ++i) identity[i * 9] = 1;
  const std::vector<float> falling = {8, 7, 6, 5, 4, 3, 2, 1};
  auto samples = VectorSamples("x", {8}, {falling, falling, falling});
  samples.Labels({0, 4, 5});
  const auto result = Compare({Linear(identity)}, samples);
  EXPECT_NEAR(result[0].labelled->top1, 1.0 / 3, 1e-12);
  EXPECT_NEAR(result[0].labelled->top5, 2.0 / 3, 1e-12);
}

TEST(EvaluateTest, OfEqualElementsTheFirstIsTheAnswer) {
  auto samples = VectorSamples("x", {2}, {{1, 1}, {1, 1}});
  samples.Labels({0, 1});
  EXPECT_EQ(Compare({Linear(kSame)}, samples)[0].labelled->top1, 0.5);
}

TEST(EvaluateTest, ALabelThatIsNoClassIsRefused) {
  const auto model = Linear(kSame);
  for (int64_t label : {2, -1}) {
    auto samples = VectorSamples("x", {2}, {{1, 0}, {1, 0}});
    samples.Labels({0, label});
    const auto binding = BindSamples(*model, samples, "samples");
    ASSERT_TRUE(binding.ok()) << binding.status();
    const absl::Status status = Evaluate({model}, samples, *binding, 0, 1, nullptr).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(status.message()),
                ::testing::AllOf(::testing::HasSubstr(absl::StrCat("label ", label)),
                                 ::testing::HasSubstr("sample 1")));
  }
}

TEST(EvaluateTest, MeasuresNoiseInDecibels) {
  // Answers are 1.1 times too large: noise is a tenth of the signal in amplitude.
  const auto result =
      Compare({Linear(kSame), Linear({1.1f, 0, 0, 1.1f})}, VectorSamples("x", {2}, {{3, 4}}));
  EXPECT_NEAR(result[1].fidelity.sqnr_db, 20, 1e-4);
  EXPECT_NEAR(result[1].fidelity.cosine, 1, 1e-9);
  const auto turned = Compare({Linear(kSame), Linear(kSwapped)}, VectorSamples("x", {2}, {{3, 4}}));
  EXPECT_NEAR(turned[1].fidelity.cosine, 24.0 / 25, 1e-6);
}

TEST(EvaluateTest, SilentModelsAreEqual) {
  const auto silent = Linear({0, 0, 0, 0});
  const auto result = Compare({silent, silent, Linear(kSame)}, VectorSamples("x", {2}, {{3, 4}}));
  EXPECT_EQ(result[1].fidelity.cosine, 1);
  EXPECT_EQ(result[2].fidelity.cosine, 0);
  EXPECT_EQ(result[2].fidelity.sqnr_db, -200);
}

TEST(EvaluateTest, TakesTheFirstSamplesWhenAskedTo) {
  const auto result =
      Compare({Linear(kSame)}, VectorSamples("x", {2}, {{3, 4}, {1, 2}, {5, 6}}), 2, 2);
  EXPECT_EQ(result[0].fidelity.samples, 2);
}

TEST(EvaluateTest, WorkersDoNotChangeTheResult) {
  const auto samples = fourfold::testing::UniformSamples("x", {2}, 100, 5);
  const auto models = {Linear(kSame), Linear({1, 0.1f, -0.2f, 1})};
  const auto alone = Compare(models, samples, 1);
  const auto together = Compare(models, samples, 4);
  EXPECT_EQ(alone[1].fidelity.top1_agreement, together[1].fidelity.top1_agreement);
  EXPECT_NEAR(alone[1].fidelity.sqnr_db, together[1].fidelity.sqnr_db, 1e-9);
}

}  // namespace
}  // namespace fourfold::quantize
