#include "server/quantize/samples.h"

#include <gmock/gmock.h>

#include <atomic>
#include <cmath>
#include <set>

#include "absl/synchronization/mutex.h"
#include "server/quantize/hold_out.h"
#include "tests/quantize/vector_samples.h"

namespace fourfold::quantize {
namespace {

using fourfold::testing::GraphBuilder;
using fourfold::testing::VectorSamples;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

runtime::Model TwoInputs(int64_t batch = graph::kUnknownDim) {
  GraphBuilder b;
  const graph::ValueId x = b.Input("left", {batch, 2});
  b.Output(b.Sum(x, b.Input("right", {batch, 2})));
  return runtime::Model(b.Build());
}

runtime::Model OneInput() {
  GraphBuilder b;
  b.Output(b.Relu(b.Input("pixels", {graph::kUnknownDim, 2})));
  return runtime::Model(b.Build());
}

void ExpectRefused(const runtime::Model& model, const SampleSet& samples,
                   const ::testing::Matcher<std::string>& message) {
  const absl::Status status = BindSamples(model, samples, "calibration samples").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), AllOf(HasSubstr("calibration samples"), message));
}

TEST(BindSamplesTest, FindsArraysByNameInAnyOrder) {
  VectorSamples samples("right", {2}, {{1, 2}});
  samples.Add("unused", {9}, {std::vector<float>(9)}).Add("left", {1, 2}, {{3, 4}});
  const auto binding = BindSamples(TwoInputs(), samples, "samples");
  ASSERT_TRUE(binding.ok()) << binding.status();
  EXPECT_THAT(binding->array, ElementsAre(2, 0));
  EXPECT_THAT(binding->input_shapes, ElementsAre(graph::Shape{1, 2}, graph::Shape{1, 2}));
}

TEST(BindSamplesTest, AnArrayWithoutANameFeedsTheOnlyInput) {
  EXPECT_TRUE(BindSamples(OneInput(), VectorSamples("", {2}, {{1, 2}}), "samples").ok());
  ExpectRefused(TwoInputs(), VectorSamples("", {2}, {{1, 2}}), HasSubstr("left"));
}

TEST(BindSamplesTest, AWrongNameIsRefusedWithBothNames) {
  ExpectRefused(OneInput(), VectorSamples("image", {2}, {{1, 2}}),
                AllOf(HasSubstr("pixels"), HasSubstr("image")));
}

TEST(BindSamplesTest, AWrongTypeIsRefused) {
  VectorSamples samples("pixels", {2}, {{1, 2}});
  samples.Type(graph::DataType::kInt32);
  ExpectRefused(OneInput(), samples, AllOf(HasSubstr("int32"), HasSubstr("float32")));
}

TEST(BindSamplesTest, AWrongShapeIsRefused) {
  for (const graph::Shape& shape : std::vector<graph::Shape>{{3}, {}, {2, 2}, {2, 1}, {1, 1, 2}}) {
    const auto count = static_cast<size_t>(graph::ElementCount(shape));
    ExpectRefused(OneInput(), VectorSamples("pixels", shape, {std::vector<float>(count)}),
                  AllOf(HasSubstr(graph::ShapeText(shape)), HasSubstr("pixels")));
  }
}

TEST(BindSamplesTest, NoSamplesAreRefused) {
  ExpectRefused(OneInput(), VectorSamples("pixels", {2}, {}), HasSubstr("none"));
}

TEST(BindSamplesTest, LabelsMustBeAsManyAsSamples) {
  VectorSamples samples("pixels", {2}, {{1, 2}, {3, 4}});
  samples.Labels({1});
  ExpectRefused(OneInput(), samples, AllOf(HasSubstr("1 labels"), HasSubstr("2 samples")));
}

TEST(VisitSamplesTest, VisitsEachSampleOnceInTheModelsOrderOfInputs) {
  VectorSamples samples("right", {2}, {{1, 0}, {2, 0}, {3, 0}});
  samples.Add("left", {2}, {{10, 0}, {20, 0}, {30, 0}});
  const auto binding = BindSamples(TwoInputs(), samples, "samples");
  ASSERT_TRUE(binding.ok());
  absl::Mutex mutex;
  std::multiset<float> seen;
  const absl::Status status = VisitSamples(
      samples, *binding, 3, 3, [&](int, int64_t index, const auto& inputs) -> absl::Status {
        const auto left = fourfold::testing::FromBytes<float>(inputs[0]);
        const auto right = fourfold::testing::FromBytes<float>(inputs[1]);
        const absl::MutexLock lock(&mutex);
        seen.insert(right[0]);
        EXPECT_EQ(left[0], 10 * right[0]);
        EXPECT_EQ(right[0], static_cast<float>(index + 1));
        return absl::OkStatus();
      });
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_THAT(seen, ElementsAre(1, 2, 3));
}

TEST(VisitSamplesTest, ASampleThatIsNotFiniteIsNamed) {
  for (float bad : {NAN, INFINITY}) {
    const VectorSamples samples("pixels", {2}, {{1, 2}, {3, bad}});
    const auto binding = BindSamples(OneInput(), samples, "samples");
    ASSERT_TRUE(binding.ok());
    const absl::Status status = VisitSamples(
        samples, *binding, 2, 1, [](int, int64_t, const auto&) { return absl::OkStatus(); });
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(status.message(),
                AllOf(HasSubstr("sample 1"), HasSubstr("pixels"), HasSubstr("element 1")));
  }
}

TEST(VisitSamplesTest, StopsAtTheFirstError) {
  const auto samples = fourfold::testing::UniformSamples("pixels", {2}, 100, 1);
  const auto binding = BindSamples(OneInput(), samples, "samples");
  ASSERT_TRUE(binding.ok());
  std::atomic<int> visits{0};
  const absl::Status status =
      VisitSamples(samples, *binding, 100, 2, [&](int, int64_t, const auto&) {
        ++visits;
        return absl::DataLossError("broken");
      });
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_LE(visits, 4);
}

TEST(SplitSamplesTest, HoldsOutEveryFifth) {
  const auto samples = fourfold::testing::UniformSamples("pixels", {2}, 12, 1);
  const HoldOut split = SplitSamples(samples);
  EXPECT_TRUE(split.disjoint);
  EXPECT_EQ(split.fit.size(), 10);
  EXPECT_EQ(split.check.size(), 2);
  EXPECT_EQ(*split.check.Read(0), *samples.Read(4));
  EXPECT_EQ(*split.fit.Read(4), *samples.Read(5));
}

TEST(SplitSamplesTest, FewSamplesServeBoth) {
  const auto samples = fourfold::testing::UniformSamples("pixels", {2}, 4, 1);
  const HoldOut split = SplitSamples(samples);
  EXPECT_FALSE(split.disjoint);
  EXPECT_EQ(split.fit.size(), 4);
  EXPECT_EQ(split.check.size(), 4);
}

TEST(SplitSamplesTest, HoldsOutNoMoreThanSixtyFour) {
  const auto samples = fourfold::testing::UniformSamples("pixels", {2}, 500, 1);
  EXPECT_EQ(SplitSamples(samples).check.size(), 64);
  EXPECT_EQ(SplitSamples(samples).fit.size(), 436);
}

}  // namespace
}  // namespace fourfold::quantize
