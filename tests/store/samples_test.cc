#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/base/file.h"
#include "server/store/sample_writer.h"
#include "tests/testing/temporary_directory.h"

namespace fourfold::store {
namespace {

using ::testing::HasSubstr;

std::string FloatBytes(const std::vector<float>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float)};
}

class SampleWriterTest : public ::testing::Test {
 protected:
  SampleBatch Batch(int64_t count, std::vector<int64_t> labels = {}) {
    bytes_ = FloatBytes(std::vector<float>(static_cast<size_t>(count) * 2, 1.5f));
    return {count, {{"x", "<f4", {2}, bytes_}}, std::move(labels)};
  }

  testing::TemporaryDirectory directory_;
  SampleWriter writer_{base::RealFileSystem(), directory_.path() + "/set", "calibration"};
  std::string bytes_;
};

// The layout of .npy 1.0 as NumPy documents it.
TEST_F(SampleWriterTest, WritesNpyWithTheFinalCount) {
  ASSERT_TRUE(writer_.Append(Batch(3, {0, 1, 2})).ok());
  ASSERT_TRUE(writer_.Append(Batch(2, {3, 4})).ok());
  ASSERT_TRUE(writer_.Seal().ok());
  EXPECT_EQ(writer_.count(), 5);
  const std::string npy = base::ReadFile(directory_.path() + "/set/0.npy").value();
  ASSERT_EQ(npy.size(), 128 + 5 * 2 * sizeof(float));
  EXPECT_EQ(npy.substr(0, 10), std::string("\x93NUMPY\x01\x00\x76\x00", 10));
  EXPECT_EQ(npy[127], '\n');
  EXPECT_THAT(npy.substr(10, 117),
              HasSubstr("{'descr': '<f4', 'fortran_order': False, 'shape': (5, 2), }"));
  EXPECT_EQ(npy.substr(128), FloatBytes(std::vector<float>(10, 1.5f)));
  const std::string labels = base::ReadFile(directory_.path() + "/set/labels.npy").value();
  EXPECT_THAT(labels, HasSubstr("'<i8', 'fortran_order': False, 'shape': (5, ), }"));
  EXPECT_EQ(
      base::ReadFile(directory_.path() + "/set/samples.json").value(),
      "{\n  \"inputs\": [\n    {\n      \"name\": \"x\",\n      \"file\": \"0.npy\"\n    }\n  ],\n"
      "  \"labels\": \"labels.npy\"\n}");
}

TEST_F(SampleWriterTest, RefusesBatchesThatDifferFromTheFirst) {
  ASSERT_TRUE(writer_.Append(Batch(2)).ok());
  SampleBatch other_shape = Batch(2);
  other_shape.tensors[0].item_shape = {2, 1};
  SampleBatch other_type = Batch(2);
  other_type.tensors[0].descr = "<i4";
  SampleBatch other_name = Batch(2);
  other_name.tensors[0].input = "z";
  SampleBatch two = Batch(2);
  two.tensors.push_back(two.tensors[0]);
  for (const SampleBatch& batch : {other_shape, other_type, other_name, two, Batch(2, {0, 1})}) {
    const absl::Status status = writer_.Append(batch);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(status.message()), HasSubstr("calibration samples from sample 2"));
  }
  EXPECT_EQ(writer_.count(), 2);
}

TEST_F(SampleWriterTest, SeveralInputsNeedNames) {
  SampleBatch batch = Batch(1);
  batch.tensors.push_back(batch.tensors[0]);
  batch.tensors[1].input = "";
  EXPECT_EQ(writer_.Append(batch).code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace fourfold::store
