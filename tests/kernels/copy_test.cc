#include "kernels/copy.h"

#include <cstring>
#include <numeric>

#include "kernels/pad.h"
#include "kernels/resize.h"
#include "testing.h"

namespace fourfold::kernels {
namespace {

using testing::Random;

int64_t Offset(const std::vector<int64_t>& index, const std::vector<int64_t>& strides) {
  return std::inner_product(index.begin(), index.end(), strides.begin(), int64_t{0});
}

bool Next(std::vector<int64_t>& index, const Dims& dims) {
  for (size_t d = dims.size(); d-- > 0;) {
    if (++index[d] < dims[d]) return true;
    index[d] = 0;
  }
  return false;
}

template <typename T>
void ExpectCopied(const CopySpec& spec, int64_t src_count, int64_t dst_count) {
  std::vector<T> src(static_cast<size_t>(src_count));
  std::iota(src.begin(), src.end(), T{1});
  CopySpec sized = spec;
  sized.element_bytes = sizeof(T);
  const PreparedPtr kernel = PrepareFirst(CopyKernels(), sized, {});
  ASSERT_NE(kernel, nullptr);
  testing::Guarded<T> got(dst_count);
  std::vector<T> want = got.values();
  if (ElementCount(spec.dims) > 0) {
    std::vector<int64_t> index(spec.dims.size(), 0);
    do {
      want[static_cast<size_t>(spec.dst_offset + Offset(index, spec.dst_strides))] =
          src[static_cast<size_t>(spec.src_offset + Offset(index, spec.src_strides))];
    } while (Next(index, spec.dims));
  }
  testing::ThreeThreads three;
  testing::Run(*kernel, {src.data()}, {got.data()}, three);
  EXPECT_TRUE(got.intact());
  EXPECT_EQ(got.values(), want) << kernel->implementation();
}

void ExpectCopiedInEverySize(const CopySpec& spec, int64_t src_count, int64_t dst_count) {
  ExpectCopied<uint8_t>(spec, src_count, dst_count);
  ExpectCopied<uint16_t>(spec, src_count, dst_count);
  ExpectCopied<uint32_t>(spec, src_count, dst_count);
  ExpectCopied<uint64_t>(spec, src_count, dst_count);
}

class LayoutChangeTest : public ::testing::TestWithParam<Dims> {};

TEST_P(LayoutChangeTest, BothWays) {
  const Dims dims = GetParam();
  CopySpec spec{.dims = dims,
                .src_strides = Strides(dims, Layout::kRowMajor),
                .dst_strides = Strides(dims, Layout::kChannelsLast)};
  ExpectCopiedInEverySize(spec, ElementCount(dims), ElementCount(dims));
  std::swap(spec.src_strides, spec.dst_strides);
  ExpectCopiedInEverySize(spec, ElementCount(dims), ElementCount(dims));
}

INSTANTIATE_TEST_SUITE_P(Shapes, LayoutChangeTest,
                         ::testing::Values(Dims{1, 1, 1, 1}, Dims{2, 3, 7, 5}, Dims{1, 31, 1, 33},
                                           Dims{3, 32, 8, 8}, Dims{1, 67, 35}, Dims{2, 33, 3, 5, 7},
                                           Dims{1, 64, 56, 56}));

TEST(CopyTest, AnyPermutation) {
  const Dims dims = {3, 4, 5, 6};
  std::vector<size_t> order = {0, 1, 2, 3};
  do {
    const std::vector<int64_t> strides = Strides(dims, Layout::kRowMajor);
    CopySpec spec{.dims = {}, .src_strides = {}, .dst_strides = {}};
    for (size_t d : order) {
      spec.dims.push_back(dims[d]);
      spec.src_strides.push_back(strides[d]);
    }
    spec.dst_strides = Strides(spec.dims, Layout::kRowMajor);
    ExpectCopied<uint16_t>(spec, 360, 360);
  } while (std::next_permutation(order.begin(), order.end()));
}

TEST(CopyTest, ScalarsSlicesReversalsAndBroadcasts) {
  ExpectCopied<uint32_t>(
      {.dims = {}, .src_strides = {}, .dst_strides = {}, .src_offset = 2, .dst_offset = 1}, 3, 3);
  ExpectCopied<uint32_t>({.dims = {0, 4}, .src_strides = {4, 1}, .dst_strides = {4, 1}}, 1, 4);
  ExpectCopied<uint8_t>(
      {.dims = {3, 4}, .src_strides = {10, 2}, .dst_strides = {4, 1}, .src_offset = 1}, 40, 12);
  ExpectCopied<uint32_t>({.dims = {9}, .src_strides = {-1}, .dst_strides = {1}, .src_offset = 8}, 9,
                         9);
  ExpectCopied<uint16_t>({.dims = {5, 7}, .src_strides = {0, 1}, .dst_strides = {7, 1}}, 7, 35);
  ExpectCopied<uint64_t>({.dims = {5, 7}, .src_strides = {1, 0}, .dst_strides = {7, 1}}, 5, 35);
  ExpectCopied<uint8_t>(
      {.dims = {2, 6}, .src_strides = {6, 1}, .dst_strides = {20, 1}, .dst_offset = 5}, 12, 40);
}

TEST(CopyTest, OneLongRowIsSharedByThreads) {
  ExpectCopied<uint8_t>({.dims = {300001}, .src_strides = {1}, .dst_strides = {1}}, 300001, 300001);
}

TEST(CopyTest, RefusesOddElementSizes) {
  EXPECT_EQ(
      PrepareFirst(
          CopyKernels(),
          CopySpec{.element_bytes = 3, .dims = {1}, .src_strides = {1}, .dst_strides = {1}}, {}),
      nullptr);
}

std::vector<float> Padded(PadSpec::Mode mode, Dims src_dims, Dims begin, Dims dst_dims,
                          Layout layout) {
  PadSpec spec{.mode = mode,
               .src = {.dims = src_dims, .layout = layout},
               .dst = {.dims = dst_dims, .layout = layout},
               .begin = begin};
  const float value = -1.0f;
  std::memcpy(spec.value.data(), &value, sizeof(value));
  std::vector<float> src(static_cast<size_t>(ElementCount(src_dims)));
  std::iota(src.begin(), src.end(), 1.0f);
  return testing::ExpectEnginesAgree<float>(PadKernels(), spec, {src.data()},
                                            ElementCount(dst_dims), 0);
}

TEST(PadTest, EachModeInOneDimension) {
  using Mode = PadSpec::Mode;
  const auto pad = [](Mode mode) { return Padded(mode, {3}, {2}, {7}, Layout::kRowMajor); };
  EXPECT_EQ(pad(Mode::kConstant), (std::vector<float>{-1, -1, 1, 2, 3, -1, -1}));
  EXPECT_EQ(pad(Mode::kEdge), (std::vector<float>{1, 1, 1, 2, 3, 3, 3}));
  EXPECT_EQ(pad(Mode::kReflect), (std::vector<float>{3, 2, 1, 2, 3, 2, 1}));
  EXPECT_EQ(pad(Mode::kWrap), (std::vector<float>{2, 3, 1, 2, 3, 1, 2}));
}

TEST(PadTest, RepeatsWhatCroppingLeaves) {
  // Of {1, 2, 3, 4, 5} the last two are cut off; two are put in front.
  using Mode = PadSpec::Mode;
  const auto pad = [](Mode mode) { return Padded(mode, {5}, {2}, {5}, Layout::kRowMajor); };
  EXPECT_EQ(pad(Mode::kWrap), (std::vector<float>{2, 3, 1, 2, 3}));
  EXPECT_EQ(pad(Mode::kReflect), (std::vector<float>{3, 2, 1, 2, 3}));
}

TEST(PadTest, CropsWithNegativePads) {
  EXPECT_EQ(Padded(PadSpec::Mode::kConstant, {2, 3}, {-1, 1}, {2, 3}, Layout::kRowMajor),
            (std::vector<float>{-1, 4, 5, -1, -1, -1}));
  EXPECT_EQ(Padded(PadSpec::Mode::kEdge, {4}, {-2}, {3}, Layout::kRowMajor),
            (std::vector<float>{3, 4, 4}));
}

TEST(PadTest, ChannelsLastPadsSpace) {
  EXPECT_EQ(Padded(PadSpec::Mode::kConstant, {1, 2, 1, 2}, {0, 0, 0, 1}, {1, 2, 1, 4},
                   Layout::kChannelsLast),
            (std::vector<float>{-1, -1, 1, 2, 3, 4, -1, -1}));
  EXPECT_EQ(Padded(PadSpec::Mode::kReflect, {1, 2, 1, 2}, {0, 0, 0, 1}, {1, 2, 1, 4},
                   Layout::kChannelsLast),
            (std::vector<float>{3, 4, 1, 2, 3, 4, 1, 2}));
}

std::vector<float> Resized(ResizeSpec spec, Dims src_dims, Dims dst_dims, Layout layout,
                           std::vector<float> src) {
  spec.src = {.dims = src_dims, .layout = layout};
  spec.dst = {.dims = dst_dims, .layout = layout};
  for (size_t d = 0; d < src_dims.size(); ++d) {
    spec.scales.push_back(static_cast<float>(dst_dims[d]) / static_cast<float>(src_dims[d]));
  }
  return testing::ExpectEnginesAgree<float>(ResizeKernels(), spec, {src.data()},
                                            ElementCount(dst_dims), 1e-6);
}

// The expected arrays are those of the ONNX operator's published examples.
TEST(ResizeTest, LinearUpsamplesWithHalfPixels) {
  const std::vector<float> want = {1,    1.25f, 1.75f, 2,    1.5f, 1.75f, 2.25f, 2.5f,
                                   2.5f, 2.75f, 3.25f, 3.5f, 3,    3.25f, 3.75f, 4};
  const ResizeSpec spec{.mode = ResizeSpec::Mode::kLinear};
  EXPECT_EQ(Resized(spec, {1, 1, 2, 2}, {1, 1, 4, 4}, Layout::kRowMajor, {1, 2, 3, 4}), want);
  std::vector<float> two;
  for (float value : want) two.insert(two.end(), {value, -value});
  EXPECT_EQ(Resized(spec, {1, 2, 2, 2}, {1, 2, 4, 4}, Layout::kChannelsLast,
                    {1, -1, 2, -2, 3, -3, 4, -4}),
            two);
}

TEST(ResizeTest, LinearAlignsCorners) {
  const ResizeSpec spec{.mode = ResizeSpec::Mode::kLinear,
                        .coordinates = ResizeSpec::Coordinates::kAlignCorners};
  const std::vector<float> got =
      Resized(spec, {1, 1, 2, 2}, {1, 1, 2, 4}, Layout::kRowMajor, {1, 2, 3, 4});
  EXPECT_LE(testing::Error(got, {1, 4 / 3.f, 5 / 3.f, 2, 3, 10 / 3.f, 11 / 3.f, 4}), 1e-6);
}

TEST(ResizeTest, NearestRepeatsAndSkips) {
  const ResizeSpec half{.mode = ResizeSpec::Mode::kNearest};
  EXPECT_EQ(Resized(half, {1, 1, 1, 2}, {1, 1, 1, 6}, Layout::kRowMajor, {1, 2}),
            (std::vector<float>{1, 1, 1, 2, 2, 2}));
  EXPECT_EQ(Resized(half, {1, 1, 1, 4}, {1, 1, 1, 2}, Layout::kRowMajor, {1, 2, 3, 4}),
            (std::vector<float>{1, 3}));
  const ResizeSpec floor{.mode = ResizeSpec::Mode::kNearest,
                         .coordinates = ResizeSpec::Coordinates::kAsymmetric,
                         .nearest = ResizeSpec::Nearest::kFloor};
  EXPECT_EQ(Resized(floor, {1, 2, 2}, {1, 2, 4}, Layout::kChannelsLast, {1, 10, 2, 20}),
            (std::vector<float>{1, 10, 1, 10, 2, 20, 2, 20}));
}

}  // namespace
}  // namespace fourfold::kernels
