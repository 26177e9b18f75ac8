#include "server/rpc/sample_codec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

namespace fourfold::rpc {
namespace {

using store::SampleSet;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// `count` samples of x, float32 [2], all 1.
fourfold::v1::SampleBatch Batch(int64_t count) {
  fourfold::v1::SampleBatch batch;
  auto& tensor = *batch.add_tensors();
  tensor.set_name("x");
  tensor.set_datatype("FP32");
  tensor.add_shape(count);
  tensor.add_shape(2);
  const std::vector<float> ones(static_cast<size_t>(count) * 2, 1.f);
  tensor.set_raw(ones.data(), ones.size() * sizeof(float));
  return batch;
}

std::string Error(const fourfold::v1::SampleBatch& batch, SampleSet set = SampleSet::kEvaluation) {
  const auto decoded = DecodeSamples(batch, set, 100);
  EXPECT_EQ(decoded.status().code(), absl::StatusCode::kInvalidArgument) << decoded.status();
  return std::string(decoded.status().message());
}

TEST(DecodeSamplesTest, TakesTensorsAndLabels) {
  fourfold::v1::SampleBatch batch = Batch(2);
  batch.add_labels(7);
  batch.add_labels(0);
  const auto decoded = DecodeSamples(batch, SampleSet::kEvaluation, 0);
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_EQ(decoded->count, 2);
  EXPECT_EQ(decoded->tensors[0].descr, "<f4");
  EXPECT_THAT(decoded->tensors[0].item_shape, ElementsAre(2));
  EXPECT_THAT(decoded->labels, ElementsAre(7, 0));
}

TEST(DecodeSamplesTest, NamesTheSampleThatIsNotFinite) {
  fourfold::v1::SampleBatch batch = Batch(3);
  for (const float bad :
       {std::numeric_limits<float>::quiet_NaN(), -std::numeric_limits<float>::infinity()}) {
    batch.mutable_tensors(0)->mutable_raw()->replace(
        3 * sizeof(float), sizeof(float), reinterpret_cast<const char*>(&bad), sizeof(float));
    EXPECT_THAT(Error(batch),
                HasSubstr("tensor \"x\": element 1 of sample 101 is NaN or infinite"));
  }
}

TEST(DecodeSamplesTest, SaysWhatIsWrong) {
  EXPECT_THAT(Error({}), HasSubstr("got no tensor"));
  fourfold::v1::SampleBatch batch = Batch(2);
  batch.mutable_tensors(0)->mutable_raw()->pop_back();
  EXPECT_THAT(Error(batch), HasSubstr("got 15 bytes, wanted 16 for FP32 [2,2]"));
  batch = Batch(2);
  batch.mutable_tensors(0)->set_datatype("BYTES");
  EXPECT_THAT(Error(batch), HasSubstr("got datatype \"BYTES\""));
  batch = Batch(2);
  batch.mutable_tensors(0)->clear_shape();
  EXPECT_THAT(Error(batch), HasSubstr("got shape []"));
  batch = Batch(2);
  *batch.add_tensors() = Batch(3).tensors(0);
  EXPECT_THAT(Error(batch), HasSubstr("got 3 samples, wanted 2"));
}

TEST(DecodeSamplesTest, ChecksLabels) {
  fourfold::v1::SampleBatch batch = Batch(2);
  batch.add_labels(1);
  EXPECT_THAT(Error(batch), HasSubstr("got 1 labels, wanted 2"));
  batch.add_labels(-4);
  EXPECT_THAT(Error(batch), HasSubstr("label of sample 101 is -4"));
  batch.set_labels(1, 4);
  EXPECT_THAT(Error(batch, SampleSet::kCalibration), HasSubstr("evaluation samples only"));
}

}  // namespace
}  // namespace fourfold::rpc
