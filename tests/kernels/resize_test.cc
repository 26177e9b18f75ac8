#include "kernels/resize.h"

#include <cmath>

#include "testing.h"

namespace fourfold::kernels {
namespace {

using Coordinates = ResizeSpec::Coordinates;
using Mode = ResizeSpec::Mode;
using Nearest = ResizeSpec::Nearest;
using testing::Random;

// Figures of the operator's documentation in ONNX.
TEST(ResizeFiguresTest, CubicAsInTheDocumentation) {
  ResizeSpec spec{.mode = Mode::kCubic,
                  .src = {.dims = {1, 1, 4, 4}},
                  .dst = {.dims = {1, 1, 3, 3}},
                  .scales = {1.0f, 1.0f, 0.8f, 0.8f}};
  std::vector<float> src(16);
  for (size_t i = 0; i < src.size(); ++i) src[i] = static_cast<float>(i + 1);
  const std::vector<float> want = {1.47119141f, 2.78125f,     4.08251953f, 6.71142578f, 8.02148438f,
                                   9.32275391f, 11.91650391f, 13.2265625f, 14.52783203f};
  EXPECT_LE(
      testing::Error(testing::RunEngine<float>(ResizeKernels(), "reference", spec, {src.data()}, 9),
                     want),
      1e-6);
  spec.cubic_coefficient = -0.5f;
  spec.exclude_outside = true;
  const std::vector<float> excluded = {1.36812675f, 2.6695014f,   4.0133367f,   6.57362535f, 7.875f,
                                       9.2188353f,  11.94896657f, 13.25034122f, 14.59417652f};
  EXPECT_LE(
      testing::Error(testing::RunEngine<float>(ResizeKernels(), "reference", spec, {src.data()}, 9),
                     excluded),
      1e-6);
}

TEST(ResizeFiguresTest, AntialiasAsInTheDocumentation) {
  ResizeSpec spec{.mode = Mode::kLinear,
                  .src = {.dims = {1, 1, 4, 4}},
                  .dst = {.dims = {1, 1, 2, 2}},
                  .scales = {1.0f, 1.0f, 0.6f, 0.6f},
                  .antialias = true};
  std::vector<float> src(16);
  for (size_t i = 0; i < src.size(); ++i) src[i] = static_cast<float>(i + 1);
  const std::vector<float> linear = {2.875f, 4.5f, 9.375f, 11.0f};
  EXPECT_LE(
      testing::Error(testing::RunEngine<float>(ResizeKernels(), "reference", spec, {src.data()}, 4),
                     linear),
      1e-6);
  spec.mode = Mode::kCubic;
  const std::vector<float> cubic = {2.5180721f, 4.2858863f, 9.589329f, 11.357142f};
  EXPECT_LE(
      testing::Error(testing::RunEngine<float>(ResizeKernels(), "reference", spec, {src.data()}, 4),
                     cubic),
      1e-5);
}

// ---- Against the definition: a weighted sum along one dimension of all others' results.

double Coordinate(const ResizeSpec& spec, size_t d, int64_t i) {
  const auto x = static_cast<double>(i), in = static_cast<double>(spec.src.dims[d]),
             out = static_cast<double>(spec.dst.dims[d]),
             scale = static_cast<double>(spec.scales[d]);
  switch (spec.coordinates) {
    case Coordinates::kHalfPixel: return (x + 0.5) / scale - 0.5;
    case Coordinates::kPytorchHalfPixel: return out > 1 ? (x + 0.5) / scale - 0.5 : 0.0;
    case Coordinates::kAlignCorners: return out > 1 ? x * (in - 1) / (scale * in - 1) : 0.0;
    case Coordinates::kAsymmetric: return x / scale;
    case Coordinates::kHalfPixelSymmetric:
      return in / 2 * (1 - out / (scale * in)) + (x + 0.5) / scale - 0.5;
    case Coordinates::kTfCropAndResize: {
      const double a = spec.starts[d], b = spec.ends[d];
      return out > 1 ? a * (in - 1) + x * (b - a) * (in - 1) / (out - 1) : 0.5 * (a + b) * (in - 1);
    }
    case Coordinates::kTfHalfPixelForNearest: return (x + 0.5) / scale;
  }
  return x;
}

double Filter(const ResizeSpec& spec, double x) {
  x = std::fabs(x);
  const double a = spec.cubic_coefficient;
  if (spec.mode == Mode::kLinear) return std::max(0.0, 1.0 - x);
  if (x < 1) return (a + 2) * x * x * x - (a + 3) * x * x + 1;
  if (x < 2) return a * x * x * x - 5 * a * x * x + 8 * a * x - 4 * a;
  return 0.0;
}

// The value at output index, dimensions from d on still to be interpolated.
double Value(const ResizeSpec& spec, const std::vector<float>& src, const Dims& index, size_t d,
             int64_t offset) {
  if (d == index.size()) return src[static_cast<size_t>(offset)];
  const int64_t stride = Strides(spec.src.dims, spec.src.layout)[d];
  const int64_t last = spec.src.dims[d] - 1;
  const double x = Coordinate(spec, d, index[d]);
  if (spec.src.dims[d] == spec.dst.dims[d] && spec.scales[d] == 1.0f &&
      spec.coordinates != Coordinates::kTfCropAndResize) {
    return Value(spec, src, index, d + 1, offset + index[d] * stride);
  }
  const double narrow = spec.antialias ? std::min(1.0, static_cast<double>(spec.scales[d])) : 1.0;
  double sum = 0.0, weights = 0.0;
  for (int64_t k = -40; k <= last + 40; ++k) {
    const double weight = Filter(spec, (static_cast<double>(k) - x) * narrow);
    if (weight == 0.0 || (spec.exclude_outside && (k < 0 || k > last))) continue;
    weights += weight;
    sum +=
        weight * Value(spec, src, index, d + 1, offset + std::clamp<int64_t>(k, 0, last) * stride);
  }
  return spec.exclude_outside || spec.antialias ? sum / weights : sum;
}

struct Case {
  std::string name;
  Dims src, dst;
  Layout layout;
};

class ResizeTest
    : public ::testing::TestWithParam<std::tuple<Case, Mode, Coordinates, bool, bool>> {};

TEST_P(ResizeTest, EqualsTheDefinition) {
  const auto& [c, mode, coordinates, antialias, exclude] = GetParam();
  ResizeSpec spec{.mode = mode,
                  .coordinates = coordinates,
                  .src = {.dims = c.src, .layout = c.layout},
                  .dst = {.dims = c.dst, .layout = c.layout},
                  .starts = std::vector<float>(c.src.size(), 0.1f),
                  .ends = std::vector<float>(c.src.size(), 0.8f),
                  .exclude_outside = exclude,
                  .antialias = antialias};
  for (size_t d = 0; d < c.src.size(); ++d) {
    spec.scales.push_back(static_cast<float>(c.dst[d]) / static_cast<float>(c.src[d]));
    if (c.src[d] != c.dst[d]) continue;
    spec.starts[d] = 0.0f;
    spec.ends[d] = 1.0f;
  }
  Random random(static_cast<uint32_t>(c.name.size()));
  const std::vector<float> src = random.Reals(ElementCount(c.src));
  const int64_t count = ElementCount(c.dst);
  const auto got =
      testing::ExpectEnginesAgree<float>(ResizeKernels(), spec, {src.data()}, count, 1e-6);
  const std::vector<int64_t> strides = Strides(c.dst, c.layout);
  for (int64_t i = 0; i < count; ++i) {
    Dims index(c.dst.size());
    int64_t rest = i, offset = 0;
    for (size_t d = c.dst.size(); d-- > 0; rest /= c.dst[d]) {
      index[d] = rest % c.dst[d];
      offset += index[d] * strides[d];
    }
    ASSERT_NEAR(got[static_cast<size_t>(offset)], Value(spec, src, index, 0, 0), 2e-5) << i;
  }
}

std::string NameOf(const ::testing::TestParamInfo<ResizeTest::ParamType>& info) {
  const auto& [c, mode, coordinates, antialias, exclude] = info.param;
  return c.name + (mode == Mode::kLinear ? "_linear_" : "_cubic_") +
         std::to_string(static_cast<int>(coordinates)) + (antialias ? "_antialias" : "") +
         (exclude ? "_exclude" : "");
}

INSTANTIATE_TEST_SUITE_P(
    Cases, ResizeTest,
    ::testing::Combine(
        ::testing::Values(Case{"up", {1, 2, 3, 5}, {1, 2, 7, 8}, Layout::kRowMajor},
                          Case{"down", {2, 3, 9, 8}, {2, 3, 4, 3}, Layout::kRowMajor},
                          Case{"down_nhwc", {2, 3, 9, 8}, {2, 3, 4, 3}, Layout::kChannelsLast},
                          Case{"mixed", {1, 4, 6, 5, 4}, {1, 4, 3, 9, 4}, Layout::kChannelsLast},
                          Case{"all", {2, 2, 3, 4, 3}, {3, 3, 2, 6, 4}, Layout::kRowMajor},
                          Case{"one", {1, 1, 4}, {1, 1, 1}, Layout::kRowMajor}),
        ::testing::Values(Mode::kLinear, Mode::kCubic),
        ::testing::Values(Coordinates::kHalfPixel, Coordinates::kPytorchHalfPixel,
                          Coordinates::kAlignCorners, Coordinates::kAsymmetric,
                          Coordinates::kHalfPixelSymmetric, Coordinates::kTfCropAndResize),
        ::testing::Bool(), ::testing::Bool()),
    NameOf);

TEST(ResizeCropTest, WhatIsOutsideOfTheImageIsTheExtrapolationValue) {
  for (const Mode mode : {Mode::kNearest, Mode::kLinear, Mode::kCubic}) {
    const ResizeSpec spec{.mode = mode,
                          .coordinates = Coordinates::kTfCropAndResize,
                          .src = {.dims = {1, 3}},
                          .dst = {.dims = {1, 5}},
                          .scales = {1.0f, 5.0f / 3.0f},
                          .starts = {0.0f, -0.5f},
                          .ends = {1.0f, 1.5f},
                          .extrapolation_value = -9.0f};
    const std::vector<float> src = {1.0f, 2.0f, 3.0f};  // coordinates -1, 0, 1, 2, 3
    EXPECT_EQ(testing::RunEngine<float>(ResizeKernels(), "reference", spec, {src.data()}, 5),
              (std::vector<float>{-9.0f, 1.0f, 2.0f, 3.0f, -9.0f}));
  }
}

TEST(ResizeNearestTest, RoundsAsItIsTold) {
  // Coordinates of asymmetric by 2: 0, 0.5, 1, 1.5.
  const std::vector<int64_t> src = {10, 20};
  const std::pair<Nearest, std::vector<int64_t>> cases[] = {
      {Nearest::kRoundPreferFloor, {10, 10, 20, 20}},
      {Nearest::kRoundPreferCeil, {10, 20, 20, 20}},
      {Nearest::kFloor, {10, 10, 20, 20}},
      {Nearest::kCeil, {10, 20, 20, 20}}};
  for (const auto& [nearest, want] : cases) {
    const ResizeSpec spec{.coordinates = Coordinates::kAsymmetric,
                          .nearest = nearest,
                          .src = {ElementType::kInt64, {2}},
                          .dst = {ElementType::kInt64, {4}},
                          .scales = {2.0f}};
    EXPECT_EQ(testing::RunEngine<int64_t>(ResizeKernels(), "reference", spec, {src.data()}, 4),
              want);
  }
}

}  // namespace
}  // namespace fourfold::kernels
