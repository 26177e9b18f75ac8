#include "loadtest/inputs.h"

#include <array>
#include <set>
#include <span>

#include "client/samples/npy.h"
#include "client/samples/npz.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "loadtest/elements.h"
#include "tests/client/samples_testing.h"

namespace fourfold::loadtest {
namespace {

using client::TensorDescription;
using samples::DType;
using samples::MakeArray;
using testing::ElementsAre;

const std::vector<TensorDescription> kOneInput = {{"x", "FP32", {-1, 2}}};
const std::vector<TensorDescription> kTwoInputs = {{"x", "FP32", {-1, 2}}, {"n", "INT64", {-1}}};

template <typename T>
samples::Array ArrayOf(DType dtype, std::vector<int64_t> dims, const std::vector<T>& values) {
  return MakeArray(dtype, std::move(dims), std::as_bytes(std::span(values)));
}

std::vector<double> Values(const client::Tensor& tensor) { return *Elements(tensor); }

class InputsTest : public testing::Test {
 protected:
  // Five samples of two values: 0 1, 2 3, ... 8 9.
  std::string Five() {
    const std::string path = folder_.Path("five.npy");
    const std::vector<float> values = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9};
    EXPECT_TRUE(samples::WriteNpyFile(path, ArrayOf(DType::kFloat32, {5, 2}, values)).ok());
    return path;
  }
  std::string Numbers(int64_t count) {
    const std::string path = folder_.Path("numbers.npy");
    const std::vector<int64_t> values(static_cast<size_t>(count), 7);
    EXPECT_TRUE(samples::WriteNpyFile(path, ArrayOf(DType::kInt64, {count}, values)).ok());
    return path;
  }

  samples::TemporaryFolder folder_;
};

TEST_F(InputsTest, EachSampleOfAnArrayIsARequest) {
  const auto requests = MakeRequests(kOneInput, {.paths = {Five()}});
  ASSERT_TRUE(requests.ok()) << requests.status();
  ASSERT_EQ(requests->size(), 5u);
  const client::Tensor& last = requests->back().inputs[0];
  EXPECT_EQ(last.name, "x");
  EXPECT_EQ(last.datatype, "FP32");
  EXPECT_THAT(last.shape, ElementsAre(1, 2));
  EXPECT_THAT(Values(last), ElementsAre(8, 9));
}

TEST_F(InputsTest, ABatchTakesSamplesInOrderAndRepeatsTooFew) {
  const auto pairs = MakeRequests(kOneInput, {.paths = {"x=" + Five()}, .batch = 2});
  ASSERT_TRUE(pairs.ok()) << pairs.status();
  ASSERT_EQ(pairs->size(), 2u);  // the fifth sample makes no pair
  EXPECT_THAT((*pairs)[1].inputs[0].shape, ElementsAre(2, 2));
  EXPECT_THAT(Values((*pairs)[1].inputs[0]), ElementsAre(4, 5, 6, 7));
  const auto seven = MakeRequests(kOneInput, {.paths = {Five()}, .batch = 7});
  ASSERT_TRUE(seven.ok());
  ASSERT_EQ(seven->size(), 1u);
  EXPECT_THAT(Values((*seven)[0].inputs[0]), ElementsAre(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1, 2, 3));
}

TEST_F(InputsTest, SamplesAreLimited) {
  EXPECT_EQ(MakeRequests(kOneInput, {.paths = {Five()}, .samples_max = 3})->size(), 3u);
}

TEST_F(InputsTest, SeveralInputsComeFromSeveralFilesOrOneArchive) {
  const auto files = MakeRequests(kTwoInputs, {.paths = {"x=" + Five(), "n=" + Numbers(5)}});
  ASSERT_TRUE(files.ok()) << files.status();
  ASSERT_EQ(files->size(), 5u);
  EXPECT_EQ((*files)[0].inputs[1].datatype, "INT64");
  EXPECT_THAT((*files)[0].inputs[1].shape, ElementsAre(1));

  const std::string npz = folder_.Path("both.npz");
  const std::vector<float> x = {0, 1, 2, 3};
  const std::vector<int64_t> n = {7, 8};
  const std::array<samples::NamedArray, 3> arrays = {{
      {"x", ArrayOf(DType::kFloat32, {2, 2}, x)},
      {"n", ArrayOf(DType::kInt64, {2}, n)},
      {"labels", ArrayOf(DType::kInt64, {2}, n)},
  }};
  ASSERT_TRUE(samples::WriteNpz(npz, arrays).ok());
  const auto archive = MakeRequests(kTwoInputs, {.paths = {npz}});
  ASSERT_TRUE(archive.ok()) << archive.status();
  ASSERT_EQ(archive->size(), 2u);
  ASSERT_EQ((*archive)[1].inputs.size(), 2u);
  EXPECT_THAT(Values((*archive)[1].inputs[0]), ElementsAre(2, 3));
  EXPECT_THAT(Values((*archive)[1].inputs[1]), ElementsAre(8));
}

TEST_F(InputsTest, FilesThatDoNotFitTheModelAreRefused) {
  const auto code = [&](const std::vector<TensorDescription>& inputs,
                        std::vector<std::string> paths) {
    return MakeRequests(inputs, {.paths = std::move(paths)}).status().code();
  };
  EXPECT_EQ(code(kTwoInputs, {Five()}), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code(kTwoInputs, {"x=" + Five()}), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code(kTwoInputs, {"x=" + Five(), "n=" + Numbers(4)}),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code(kTwoInputs, {"x=" + Five(), "x=" + Five()}), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code(kOneInput, {"z=" + Five()}), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code(kOneInput, {folder_.Path("no.npy")}), absl::StatusCode::kNotFound);
  EXPECT_EQ(code(kOneInput, {"a.npz", "b.npz"}), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code({}, {}), absl::StatusCode::kInvalidArgument);
}

TEST_F(InputsTest, TheBytesOfARunAreLimited) {
  // Five samples of 8 bytes.
  EXPECT_TRUE(MakeRequests(kOneInput, {.paths = {Five()}, .bytes_max = 40}).ok());
  EXPECT_EQ(MakeRequests(kOneInput, {.paths = {Five()}, .bytes_max = 39}).status().code(),
            absl::StatusCode::kResourceExhausted);
  // Sixteen random requests of 8 bytes.
  EXPECT_TRUE(MakeRequests(kOneInput, {.bytes_max = 128}).ok());
  EXPECT_EQ(MakeRequests(kOneInput, {.bytes_max = 127}).status().code(),
            absl::StatusCode::kResourceExhausted);
}

TEST_F(InputsTest, RandomInputsHaveTheModelsShapesAndTypes) {
  const std::vector<TensorDescription> inputs = {{"a", "FP32", {-1, 3, 5}},
                                                 {"b", "FP16", {1, 64}},
                                                 {"c", "INT32", {-1, 40}},
                                                 {"d", "FP64", {-1, 4}},
                                                 {"e", "BOOL", {-1, 9}}};
  const auto requests = MakeRequests(inputs, {.batch = 2, .seed = 5});
  ASSERT_TRUE(requests.ok()) << requests.status();
  EXPECT_EQ(requests->size(), 16u);
  std::set<std::string> different;
  for (const client::InferRequest& request : *requests) {
    ASSERT_EQ(request.inputs.size(), 5u);
    different.insert(request.inputs[0].bytes);
    EXPECT_THAT(request.inputs[0].shape, ElementsAre(2, 3, 5));
    EXPECT_THAT(request.inputs[1].shape, ElementsAre(2, 64));
    for (const client::Tensor& tensor : request.inputs) {
      const std::vector<double> values = Values(tensor);
      size_t wanted = 1;
      for (const int64_t dim : tensor.shape) wanted *= static_cast<size_t>(dim);
      EXPECT_EQ(values.size(), wanted);
      const bool whole = tensor.datatype == "INT32" || tensor.datatype == "BOOL";
      for (const double value : values) {
        EXPECT_GE(value, 0);
        EXPECT_LE(value, 1);
        EXPECT_TRUE(!whole || value == 0 || value == 1);
      }
    }
  }
  EXPECT_EQ(different.size(), 16u);
  EXPECT_EQ(MakeRequests(inputs, {.batch = 2, .seed = 5})->front().inputs[0].bytes,
            requests->front().inputs[0].bytes);
  EXPECT_NE(MakeRequests(inputs, {.batch = 2, .seed = 6})->front().inputs[0].bytes,
            requests->front().inputs[0].bytes);
}

TEST_F(InputsTest, RandomInputsNeedKnownSizes) {
  EXPECT_EQ(MakeRequests({{"x", "FP32", {-1, -1}}}, {}).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(MakeRequests({{"x", "FP32", {4, 2}}}, {.batch = 2}).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(MakeRequests({{"x", "BYTES", {-1}}}, {}).status().code(),
            absl::StatusCode::kUnimplemented);
}

}  // namespace
}  // namespace fourfold::loadtest
