#include <algorithm>
#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "client/samples/image.h"
#include "client/samples/image_options.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/client/samples_testing.h"

namespace fourfold::samples {
namespace {

constexpr int64_t kPixelsMax = 1 << 20;

std::vector<uint8_t> ExpectedPixels(const std::string& file) {
  const absl::StatusOr<Array> array = ReadNpyFile(Fixture(file));
  EXPECT_TRUE(array.ok()) << array.status();
  return Values<uint8_t>(array->bytes.data);
}

TEST(ImageTest, DecodesLosslessFormatsExactly) {
  for (const char* file : {"picture.png", "picture.bmp"}) {
    const absl::StatusOr<Image> image = DecodeImage(Fixture(file), 3, kPixelsMax);
    ASSERT_TRUE(image.ok()) << image.status();
    EXPECT_EQ(image->size, (ImageSize{37, 23}));
    EXPECT_EQ(image->pixels, ExpectedPixels("picture.npy")) << file;
  }
}

TEST(ImageTest, DecodesJpegCloseToLibjpeg) {
  const absl::StatusOr<Image> image = DecodeImage(Fixture("picture.jpg"), 3, kPixelsMax);
  ASSERT_TRUE(image.ok()) << image.status();
  const std::vector<uint8_t> expected = ExpectedPixels("picture_jpg.npy");
  ASSERT_EQ(image->pixels.size(), expected.size());
  int largest = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    largest = std::max(largest, std::abs(image->pixels[i] - expected[i]));
  }
  EXPECT_LE(largest, 3);  // the inverse transforms and colour conversions round differently
}

TEST(ImageTest, ResizesAsPillowDoes) {
  const absl::StatusOr<Image> image = DecodeImage(Fixture("picture.png"), 3, kPixelsMax);
  ASSERT_TRUE(image.ok()) << image.status();
  for (const ImageSize size : {ImageSize{19, 12}, {12, 30}, {80, 50}, {37, 7}, {5, 23}, {1, 1}}) {
    const Image resized = ResizeBilinear(*image, size);
    const std::string file = absl::StrCat("picture_", size.width, "x", size.height, ".npy");
    EXPECT_EQ(resized.size, size);
    EXPECT_EQ(resized.pixels, ExpectedPixels(file)) << file;
  }
}

TEST(ImageTest, ScalesTheShorterSideAndRoundsTheLongerDown) {
  EXPECT_EQ(ScaleShortSide({37, 23}, 16), (ImageSize{25, 16}));
  EXPECT_EQ(ScaleShortSide({23, 37}, 16), (ImageSize{16, 25}));
  EXPECT_EQ(ScaleShortSide({30, 30}, 60), (ImageSize{60, 60}));
}

TEST(ImageTest, CropsTheMiddleWithOddMarginsHalvedToEven) {
  Image image{{5, 4}, 1, {}};
  for (uint8_t i = 0; i < 20; ++i) image.pixels.push_back(i);
  // Margins 3 / 2 and 2 / 2: 1.5 rounds to 2, 1 stays.
  EXPECT_THAT(CropCentre(image, 2).pixels, testing::ElementsAre(7, 8, 12, 13));
  // Margins 1 / 2 and 0: 0.5 rounds to 0.
  EXPECT_THAT(CropCentre(image, 4).pixels,
              testing::ElementsAre(0, 1, 2, 3, 5, 6, 7, 8, 10, 11, 12, 13, 15, 16, 17, 18));
}

TEST(ImageTest, HoldsThePixelLimitAtItAndOnePast) {
  EXPECT_TRUE(DecodeImage(Fixture("picture.png"), 3, 37 * 23).ok());
  EXPECT_EQ(DecodeImage(Fixture("picture.png"), 3, 37 * 23 - 1).status().code(),
            absl::StatusCode::kResourceExhausted);
}

TEST(ImageTest, RefusesDamagedPicturesAndOtherFiles) {
  const TemporaryFolder folder;
  const std::string whole = ReadText(Fixture("picture.png"));
  for (size_t length = 0; length + 20 < whole.size(); length += 11) {
    const std::string path = folder.Write("cut.png", whole.substr(0, length));
    EXPECT_EQ(DecodeImage(path, 3, kPixelsMax).status().code(), absl::StatusCode::kInvalidArgument)
        << length;
  }
  for (size_t position = 0; position < whole.size(); position += 5) {
    std::string changed = whole;
    changed[position] = static_cast<char>(changed[position] ^ 0x55);
    static_cast<void>(DecodeImage(folder.Write("changed.png", changed), 3, kPixelsMax));
  }
  EXPECT_EQ(DecodeImage(Fixture("f4.npy"), 3, kPixelsMax).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(DecodeImage(Fixture("absent.png"), 3, kPixelsMax).status().code(),
            absl::StatusCode::kNotFound);
}

TEST(ImageOptionsTest, ReadsTheTextOfEachOption) {
  ImageOptions options;
  for (const auto& [name, value] :
       std::vector<std::pair<std::string, std::string>>{{"resize", "256"},
                                                        {"crop", "224"},
                                                        {"layout", "nhwc"},
                                                        {"channel_order", "bgr"},
                                                        {"channels", "1"},
                                                        {"scale", "0.5"},
                                                        {"mean", "104,117,123"},
                                                        {"std", "127.5"}}) {
    EXPECT_TRUE(options.Set(name, value).ok()) << name;
  }
  EXPECT_EQ(options.resize, 256);
  EXPECT_EQ(options.crop, 224);
  EXPECT_EQ(options.layout, ImageLayout::kNhwc);
  EXPECT_EQ(options.channel_order, ChannelOrder::kBgr);
  EXPECT_EQ(options.channels, 1);
  EXPECT_EQ(options.scale, 0.5f);
  EXPECT_THAT(options.mean, testing::ElementsAre(104, 117, 123));
  EXPECT_THAT(options.std, testing::ElementsAre(127.5f, 127.5f, 127.5f));
  EXPECT_TRUE(options.Validate().ok());
}

TEST(ImageOptionsTest, RefusesUnknownNamesAndBadValues) {
  ImageOptions options;
  EXPECT_EQ(options.Set("size", "3").code(), absl::StatusCode::kNotFound);
  for (const auto& [name, value] :
       std::vector<std::pair<std::string, std::string>>{{"resize", "-1"},
                                                        {"crop", "x"},
                                                        {"layout", "chw"},
                                                        {"channel_order", "rbg"},
                                                        {"scale", ""},
                                                        {"mean", "1,2"},
                                                        {"std", "1,2,x"}}) {
    EXPECT_EQ(options.Set(name, value).code(), absl::StatusCode::kInvalidArgument) << name;
  }
}

TEST(ImageOptionsTest, RefusesContradictions) {
  const auto code = [](auto change) {
    ImageOptions options;
    change(options);
    return options.Validate().code();
  };
  constexpr absl::StatusCode kInvalid = absl::StatusCode::kInvalidArgument;
  EXPECT_EQ(code([](ImageOptions& o) { o.channels = 2; }), kInvalid);
  EXPECT_EQ(code([](ImageOptions& o) { o.resize = 10, o.crop = 11; }), kInvalid);
  EXPECT_EQ(code([](ImageOptions& o) { o.resize = 100000; }), kInvalid);
  EXPECT_EQ(code([](ImageOptions& o) { o.std[2] = 0; }), kInvalid);
  EXPECT_EQ(code([](ImageOptions& o) { o.scale = 1.0f / 0.0f; }), kInvalid);
}

}  // namespace
}  // namespace fourfold::samples
