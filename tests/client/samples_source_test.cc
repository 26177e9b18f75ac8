#include "absl/strings/str_cat.h"
#include "client/samples/sample_source.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/client/samples_testing.h"

namespace fourfold::samples {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

absl::StatusOr<std::unique_ptr<SampleSource>> Open(const std::string& path,
                                                   const SourceOptions& options = {}) {
  return SampleSource::Open(path, options);
}

void CopyFixture(const TemporaryFolder& folder, const std::string& from, const std::string& to) {
  folder.Write(to, ReadText(Fixture(from)));
}

void ExpectRefused(const absl::Status& status, absl::StatusCode code, const std::string& message) {
  EXPECT_EQ(status.code(), code) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr(message));
}

constexpr absl::StatusCode kInvalid = absl::StatusCode::kInvalidArgument;

TEST(SampleSourceTest, ReadsSamplesAndLabelsOfAnNpz) {
  const auto source = Open(Fixture("deflated.npz"));
  ASSERT_TRUE(source.ok()) << source.status();
  EXPECT_EQ((*source)->size(), 4);
  ASSERT_EQ((*source)->inputs().size(), 2);
  EXPECT_EQ((*source)->inputs()[0].name, "x");
  EXPECT_EQ((*source)->inputs()[0].dtype, DType::kFloat32);
  EXPECT_THAT((*source)->inputs()[0].dims, ElementsAre(2, 3));
  EXPECT_EQ((*source)->inputs()[1].name, "in/y:0");
  EXPECT_THAT(*(*source)->labels(), ElementsAre(3, 1, 0, 2));
  const absl::StatusOr<Sample> sample = (*source)->Read(2);
  ASSERT_TRUE(sample.ok()) << sample.status();
  EXPECT_THAT(Values<float>(sample->inputs[0]), ElementsAre(12, 13, 14, 15, 16, 17));
  EXPECT_THAT(Values<uint8_t>(sample->inputs[1]), ElementsAre(2));
}

TEST(SampleSourceTest, RefusesIndexesOutsideTheSet) {
  const auto source = Open(Fixture("stored.npz"));
  ASSERT_TRUE(source.ok()) << source.status();
  EXPECT_EQ((*source)->Read(-1).status().code(), absl::StatusCode::kOutOfRange);
  EXPECT_EQ((*source)->Read(4).status().code(), absl::StatusCode::kOutOfRange);
}

TEST(SampleSourceTest, RefusesArraysThatContradictEachOther) {
  ExpectRefused(Open(Fixture("unequal.npz")).status(), kInvalid, "array 'y'");
  ExpectRefused(Open(Fixture("labels_float.npz")).status(), kInvalid, "labels are float32 [4]");
  ExpectRefused(Open(Fixture("labels_few.npz")).status(), kInvalid, "labels are int32 [3]");
  ExpectRefused(Open(Fixture("labels_negative.npz")).status(), kInvalid, "label 0");
  ExpectRefused(Open(Fixture("labels_only.npz")).status(), kInvalid, "no arrays");
  ExpectRefused(Open(Fixture("no_samples.npz")).status(), kInvalid, "at least one element");
  ExpectRefused(Open(Fixture("no_sample_axis.npz")).status(), kInvalid, "first axis");
}

TEST(SampleSourceTest, NamesArraySampleAndElementThatIsNotFinite) {
  for (const char* dtype : {"f2", "f4", "f8"}) {
    const auto source = Open(Fixture(absl::StrCat("not_finite_", dtype, ".npz")));
    ASSERT_TRUE(source.ok()) << source.status();
    EXPECT_TRUE((*source)->Read(1).ok());
    ExpectRefused((*source)->Read(2).status(), kInvalid, "array 'x', sample 2, element 3");
  }
}

TEST(SampleSourceTest, HoldsItsLimitsAtThemAndOnePast) {
  SourceOptions options;
  options.max_samples = 4;
  EXPECT_TRUE(Open(Fixture("stored.npz"), options).ok());
  options.max_samples = 3;
  ExpectRefused(Open(Fixture("stored.npz"), options).status(), absl::StatusCode::kResourceExhausted,
                "the limit is 3 samples");
  options = {};
  options.max_bytes = 100;
  ExpectRefused(Open(Fixture("stored.npz"), options).status(), absl::StatusCode::kResourceExhausted,
                "limit of 100 bytes");
}

TEST(SampleSourceTest, ReadsAFolderOfNpyFilesListedInJson) {
  const TemporaryFolder folder;
  CopyFixture(folder, "f4.npy", "0.npy");
  folder.Write("samples.json", R"({"inputs": [{"name": "x", "file": "0.npy"}]})");
  const auto unlabelled = Open(folder.Path(""));
  ASSERT_TRUE(unlabelled.ok()) << unlabelled.status();
  EXPECT_FALSE((*unlabelled)->labels().has_value());
  CopyFixture(folder, "i8.npy", "1.npy");
  const int64_t labels[] = {7, 9};
  ASSERT_TRUE(WriteNpyFile(folder.Path("labels.npy"),
                           MakeArray(DType::kInt64, {2, 1}, std::as_bytes(std::span(labels))))
                  .ok());
  folder.Write("samples.json", R"({"labels": "labels.npy",
      "inputs": [{"name": "x", "file": "0.npy"}, {"name": "y", "file": "1.npy"}]})");
  const auto source = Open(folder.Path(""));
  ASSERT_TRUE(source.ok()) << source.status();
  EXPECT_EQ((*source)->size(), 2);
  EXPECT_THAT(*(*source)->labels(), ElementsAre(7, 9));
  const absl::StatusOr<Sample> sample = (*source)->Read(1);
  ASSERT_TRUE(sample.ok()) << sample.status();
  EXPECT_THAT(Values<float>(sample->inputs[0]), ElementsAre(3, 100, 101));
  EXPECT_THAT(Values<int64_t>(sample->inputs[1]), ElementsAre(3, 100, 101));
}

TEST(SampleSourceTest, RefusesMalformedListsAndFilesOutsideTheFolder) {
  const TemporaryFolder folder;
  CopyFixture(folder, "f4.npy", "inside/0.npy");
  CopyFixture(folder, "f4.npy", "outside.npy");
  for (const char* json :
       {"", "{", "[]", "{}", R"({"inputs": {}})", R"({"inputs": []})", R"({"inputs": [1]})",
        R"({"inputs": [{"name": "x"}]})", R"({"inputs": [{"name": 1, "file": "0.npy"}]})",
        R"({"inputs": [{"name": "x", "file": 3}]})",
        R"({"inputs": [{"name": "x", "file": "../outside.npy"}]})",
        R"({"inputs": [{"name": "x", "file": ""}]})",
        R"({"inputs": [{"name": "x", "file": "0.npy"}, {"name": "x", "file": "0.npy"}]})",
        R"({"inputs": [{"name": "x", "file": "0.npy"}], "labels": 1})"}) {
    folder.Write("inside/samples.json", json);
    EXPECT_EQ(Open(folder.Path("inside")).status().code(), kInvalid) << json;
  }
  folder.Write("inside/samples.json", R"({"inputs": [{"name": "x", "file": "1.npy"}]})");
  EXPECT_EQ(Open(folder.Path("inside")).status().code(), absl::StatusCode::kNotFound);
  folder.Write("inside/samples.json", std::string((1 << 20) + 1, ' '));
  EXPECT_EQ(Open(folder.Path("inside")).status().code(), absl::StatusCode::kResourceExhausted);
}

TEST(SampleSourceTest, RefusesOtherPaths) {
  EXPECT_EQ(Open(Fixture("absent")).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(Open(Fixture("f4.npy")).status().code(), kInvalid);
  const TemporaryFolder folder;
  ExpectRefused(Open(folder.Path("")).status(), kInvalid, "holds no samples");
}

SourceOptions FittedOptions() {
  SourceOptions options;
  options.input_name = "image";
  options.images.resize = 16;
  options.images.crop = 11;
  return options;
}

void ExpectSample(const SampleSource& source, int64_t index, const std::string& file) {
  const absl::StatusOr<Sample> sample = source.Read(index);
  ASSERT_TRUE(sample.ok()) << sample.status();
  const absl::StatusOr<Array> expected = ReadNpyFile(Fixture(file));
  ASSERT_TRUE(expected.ok()) << expected.status();
  EXPECT_EQ(source.inputs()[0].dims, expected->dims);
  EXPECT_THAT(Values<float>(sample->inputs[0]),
              testing::Pointwise(testing::FloatEq(), Values<float>(expected->bytes.data)));
}

TEST(ImageFolderTest, PreprocessesAsNumpyAndPillowDo) {
  const TemporaryFolder folder;
  CopyFixture(folder, "picture.png", "a.PNG");
  SourceOptions options = FittedOptions();
  options.images.channel_order = ChannelOrder::kBgr;
  options.images.scale = 0.5f;
  options.images.mean = {104, 117, 123};
  options.images.std = {58, 57, 56.5f};
  const auto bgr = Open(folder.Path(""), options);
  ASSERT_TRUE(bgr.ok()) << bgr.status();
  EXPECT_EQ((*bgr)->inputs()[0].name, "image");
  EXPECT_FALSE((*bgr)->labels().has_value());
  ExpectSample(**bgr, 0, "fitted_bgr_nchw.npy");
  options = FittedOptions();
  options.images.layout = ImageLayout::kNhwc;
  const auto rgb = Open(folder.Path(""), options);
  ASSERT_TRUE(rgb.ok()) << rgb.status();
  ExpectSample(**rgb, 0, "fitted_rgb_nhwc.npy");
  options = FittedOptions();
  options.images.channels = 1;
  const auto grey = Open(folder.Path(""), options);
  ASSERT_TRUE(grey.ok()) << grey.status();
  ExpectSample(**grey, 0, "fitted_grey.npy");
}

TEST(ImageFolderTest, NumbersClassFoldersBySortedName) {
  const TemporaryFolder folder;
  CopyFixture(folder, "picture.png", "zebra/1.png");
  CopyFixture(folder, "picture.bmp", "ant/2.bmp");
  CopyFixture(folder, "picture.png", "ant/1.png");
  folder.Write("ant/notes.txt", "not a picture");
  const auto source = Open(folder.Path(""));
  ASSERT_TRUE(source.ok()) << source.status();
  EXPECT_EQ((*source)->size(), 3);
  EXPECT_THAT(*(*source)->labels(), ElementsAre(0, 0, 1));
  EXPECT_THAT((*source)->inputs()[0].dims, ElementsAre(3, 23, 37));
}

TEST(ImageFolderTest, TakesTheFilesOfACsvInItsOrder) {
  const TemporaryFolder folder;
  CopyFixture(folder, "picture.png", "a.png");
  CopyFixture(folder, "picture.png", "b,c.png");
  CopyFixture(folder, "picture.png", "left out.png");
  SourceOptions options;
  for (const char* header : {"file,class\r\n", ""}) {
    options.labels_path =
        folder.Write("labels.csv", absl::StrCat(header, "b,c.png,12\r\n\n a.png , 3"));
    const auto source = Open(folder.Path(""), options);
    ASSERT_TRUE(source.ok()) << source.status();
    EXPECT_THAT(*(*source)->labels(), ElementsAre(12, 3));
  }
}

TEST(ImageFolderTest, NamesTheLineOfACsvThatIsWrong) {
  const TemporaryFolder folder;
  CopyFixture(folder, "picture.png", "a.png");
  SourceOptions options;
  const auto status = [&](const std::string& csv) {
    options.labels_path = folder.Write("labels.csv", csv);
    return Open(folder.Path(""), options).status();
  };
  ExpectRefused(status("file,class\na.png,x\n"), kInvalid, "line 2");
  ExpectRefused(status("a.png,-1\n"), kInvalid, "line 1");
  ExpectRefused(status("a.png\n"), kInvalid, "line 1");
  ExpectRefused(status("a.png,1\nb.png,2\n"), absl::StatusCode::kNotFound, "line 2");
  ExpectRefused(status("file,class\n"), kInvalid, "no samples");
  options.labels_path = folder.Path("absent.csv");
  EXPECT_EQ(Open(folder.Path(""), options).status().code(), absl::StatusCode::kNotFound);
  options.labels_path = folder.Path("labels.csv");
  ExpectRefused(Open(Fixture("stored.npz"), options).status(), kInvalid, "file of labels");
}

TEST(ImageFolderTest, RefusesPicturesOfAnotherSizeOrTooSmall) {
  const TemporaryFolder folder;
  CopyFixture(folder, "picture.png", "a.png");
  folder.Write("b.ppm", "P6 2 2 255\n............");
  const auto as_is = Open(folder.Path(""));
  ASSERT_TRUE(as_is.ok()) << as_is.status();
  EXPECT_TRUE((*as_is)->Read(0).ok());
  ExpectRefused((*as_is)->Read(1).status(), kInvalid, "b.ppm is 2 x 2 where 37 x 23");
  SourceOptions options;
  options.images.crop = 20;
  const auto cropped = Open(folder.Path(""), options);
  ASSERT_TRUE(cropped.ok()) << cropped.status();
  EXPECT_TRUE((*cropped)->Read(0).ok());
  ExpectRefused((*cropped)->Read(1).status(), kInvalid, "b.ppm");
  options.images.crop = 0;
  options.images.channels = 4;
  ExpectRefused(Open(folder.Path(""), options).status(), kInvalid, "channels");
}

}  // namespace
}  // namespace fourfold::samples
