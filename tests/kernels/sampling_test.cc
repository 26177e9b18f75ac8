// GridSample, regions of interest, MaxUnpool.
#include <cmath>

#include "kernels/grid_sample.h"
#include "kernels/regions.h"
#include "kernels/unpooling.h"
#include "testing.h"

namespace fourfold::kernels {
namespace {

using Mode = GridSampleSpec::Mode;
using Padding = GridSampleSpec::Padding;
using testing::Random;

// Mirrored at low and high as often as it takes.
double Mirror(double x, double low, double high) {
  if (high <= low) return low;
  while (x < low || x > high) x = x < low ? 2 * low - x : 2 * high - x;
  return x;
}

class GridSampleTest : public ::testing::TestWithParam<std::tuple<int, Mode, Padding, bool>> {};

struct GridCase {
  Dims src, dst;
};
const GridCase kGridCases[] = {
    {{2, 3, 4, 5}, {2, 3, 3, 7}}, {{1, 2, 1, 6}, {1, 2, 5, 5}}, {{1, 2, 3, 4, 5}, {1, 2, 2, 3, 4}}};

double Cubic(double x) {
  x = std::fabs(x);
  if (x <= 1) return 1.25 * x * x * x - 2.25 * x * x + 1;
  return x < 2 ? -0.75 * x * x * x + 3.75 * x * x - 6 * x + 3 : 0.0;
}

// Sums pixels with the weights of their distances, dimension by dimension from the slowest.
double Sample(const GridSampleSpec& spec, const std::vector<float>& image,
              const std::vector<double>& point, size_t d, int64_t offset) {
  const size_t space = spec.src.size() - 2;
  if (d == space) return image[static_cast<size_t>(offset)];
  const int64_t size = spec.src[d + 2];
  const double low = spec.align_corners ? 0.0 : -0.5;
  const double high = static_cast<double>(size) - (spec.align_corners ? 1.0 : 0.5);
  double x = point[space - 1 - d];
  x = spec.align_corners ? (x + 1) / 2 * static_cast<double>(size - 1)
                         : ((x + 1) * static_cast<double>(size) - 1) / 2;
  if (spec.mode == Mode::kNearest) x = std::nearbyint(x);
  if (spec.padding == Padding::kBorder && spec.mode != Mode::kCubic && (x < low || x > high)) {
    x = std::clamp(x, 0.0, static_cast<double>(size - 1));
  }
  if (spec.padding == Padding::kReflection) x = Mirror(x, low, high);
  double sum = 0.0;
  for (int64_t k = -8; k < size + 8; ++k) {
    const double distance = static_cast<double>(k) - x;
    double weight = 0.0;
    if (spec.mode == Mode::kNearest) weight = k == std::nearbyint(x) ? 1.0 : 0.0;
    if (spec.mode == Mode::kLinear) weight = std::max(0.0, 1.0 - std::fabs(distance));
    if (spec.mode == Mode::kCubic) weight = Cubic(distance);
    if (weight == 0.0) continue;
    auto at = static_cast<double>(k);
    if (k < 0 || k >= size) {
      if (spec.padding == Padding::kZeros) continue;
      at = spec.padding == Padding::kBorder ? std::clamp(at, 0.0, static_cast<double>(size - 1))
                                            : Mirror(at, low, high);
    }
    sum += weight * Sample(spec, image, point, d + 1, offset * size + static_cast<int64_t>(at));
  }
  return sum;
}

TEST_P(GridSampleTest, EqualsTheDefinition) {
  const auto& [shape, mode, padding, align] = GetParam();
  const GridCase& c = kGridCases[shape];
  const GridSampleSpec spec{mode, padding, align, c.src, c.dst};
  if (mode == Mode::kCubic && c.src.size() == 5) {
    EXPECT_EQ(PrepareFirst(GridSampleKernels(), spec, {}), nullptr);
    return;
  }
  Random random(static_cast<uint32_t>(shape));
  const auto space = static_cast<int64_t>(c.src.size()) - 2;
  const int64_t count = ElementCount(c.dst), positions = count / c.dst[0] / c.dst[1];
  const std::vector<float> src = random.Reals(ElementCount(c.src));
  const std::vector<float> grid = random.Reals(c.dst[0] * positions * space, -1.6f, 1.6f);
  const auto got = testing::ExpectEnginesAgree<float>(GridSampleKernels(), spec,
                                                      {src.data(), grid.data()}, count, 1e-6);
  const int64_t pixels = ElementCount(c.src) / c.src[0] / c.src[1];
  for (int64_t i = 0; i < count; ++i) {
    const int64_t n = i / positions / c.dst[1];
    const auto at = static_cast<size_t>((n * positions + i % positions) * space);
    const std::vector<double> point(grid.begin() + static_cast<ptrdiff_t>(at),
                                    grid.begin() + static_cast<ptrdiff_t>(at) + space);
    const auto first = src.begin() + i / positions * pixels;
    ASSERT_NEAR(got[static_cast<size_t>(i)],
                Sample(spec, std::vector<float>(first, first + pixels), point, 0, 0), 2e-5)
        << i;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Modes, GridSampleTest,
    ::testing::Combine(::testing::Range(0, 3),
                       ::testing::Values(Mode::kLinear, Mode::kNearest, Mode::kCubic),
                       ::testing::Values(Padding::kZeros, Padding::kBorder, Padding::kReflection),
                       ::testing::Bool()));

TEST(GridSampleExtremesTest, AnyCoordinateStaysInBounds) {
  const std::vector<float> grid = {NAN,    INFINITY, -INFINITY, 3e38f, -3e38f,
                                   1e-45f, 1e9f,     -1e9f,     0.0f,  NAN};
  const testing::Fenced<float> src(std::vector<float>(12, 1.0f));
  for (const Mode mode : {Mode::kLinear, Mode::kNearest, Mode::kCubic}) {
    for (const Padding padding : {Padding::kZeros, Padding::kBorder, Padding::kReflection}) {
      for (const bool align : {false, true}) {
        const GridSampleSpec spec{mode, padding, align, {1, 1, 3, 4}, {1, 1, 1, 5}};
        for (float value : testing::RunEngine<float>(GridSampleKernels(), "reference", spec,
                                                     {src.data(), grid.data()}, 5)) {
          EXPECT_TRUE(std::isfinite(value));
          if (padding != Padding::kZeros) EXPECT_NEAR(value, 1.0f, 1e-5f);
        }
      }
    }
  }
}

// ---- Regions

template <typename Spec>
std::vector<float> RunFaulty(std::span<const Kernel<Spec>> table, const Spec& spec,
                             const std::vector<const void*>& inputs, const char** what) {
  const PreparedPtr kernel = PrepareFirst(table, spec, {});
  std::vector<float> dst(static_cast<size_t>(ElementCount(spec.dst)), 7.0f);
  std::vector<void*> outputs = {dst.data()};
  Fault fault;
  Sequential sequential;
  kernel->Run({.inputs = inputs, .outputs = outputs, .parallel = &sequential, .fault = &fault});
  *what = fault.what();
  return dst;
}

TEST(MaxRegionsTest, TakesTheLargestPixelOfEachBin) {
  std::vector<float> src(36);  // 6 x 6
  for (size_t i = 0; i < src.size(); ++i) src[i] = static_cast<float>(i);
  // Rows 1 to 4 and columns 0 to 3 (ends included); then a region that lies outside.
  const std::vector<float> rois = {0, 0, 2, 6, 8, 0, 20, 20, 24, 24};
  const MaxRegionsSpec spec{{1, 1, 6, 6}, {2, 1, 2, 2}, 0.5f};
  const auto got = testing::ExpectEnginesAgree<float>(MaxRegionsKernels(), spec,
                                                      {src.data(), rois.data()}, 8, 0.0);
  EXPECT_EQ(got, (std::vector<float>{13, 15, 25, 27, 0, 0, 0, 0}));
}

TEST(AlignRegionsTest, MeansOfBilinearSamples) {
  // Of a plane, a sample is the plane's value there: the mean is that of the bin's centre.
  std::vector<float> src;
  for (int y = 0; y < 10; ++y) {
    for (int x = 0; x < 12; ++x) src.push_back(static_cast<float>(3 * x + 100 * y));
  }
  const std::vector<float> rois = {4, 4, 16, 12};  // half of that in pixels: 2 to 8, 2 to 6
  const std::vector<int64_t> batch = {0};
  for (const bool half : {true, false}) {
    AlignRegionsSpec spec{{1, 1, 10, 12}, {1, 1, 2, 3}};
    spec.scale = 0.5f;
    spec.half_pixel = half;
    const float shift = half ? 0.5f : 0.0f;
    for (const int64_t samples : {0, 1, 3}) {
      spec.samples = samples;
      const auto got = testing::ExpectEnginesAgree<float>(
          AlignRegionsKernels(), spec, {src.data(), rois.data(), batch.data()}, 6, 0.0);
      for (int i = 0; i < 2; ++i) {
        for (int j = 0; j < 3; ++j) {
          const float x = 2.0f + (static_cast<float>(j) + 0.5f) * 2.0f - shift;
          const float y = 2.0f + (static_cast<float>(i) + 0.5f) * 2.0f - shift;
          EXPECT_NEAR(got[static_cast<size_t>(i * 3 + j)], 3.0f * x + 100.0f * y, 1e-3f);
        }
      }
    }
  }
}

TEST(RegionsFaultTest, ReportsWhatTheDataMakeImpossible) {
  const std::vector<float> src(16, 1.0f);
  const char* what = nullptr;
  const std::vector<float> far = {3, 0, 0, 2, 2};
  EXPECT_EQ(RunFaulty(MaxRegionsKernels(), MaxRegionsSpec{{1, 1, 4, 4}, {1, 1, 1, 1}, 1.0f},
                      {src.data(), far.data()}, &what),
            std::vector<float>{0.0f});
  EXPECT_STREQ(what, "a region's batch index is outside of the batch");
  const AlignRegionsSpec spec{{1, 1, 4, 4}, {1, 1, 1, 1}};
  const std::vector<float> roi = {0, 0, 2, 2};
  const std::vector<int64_t> outside = {1}, inside = {0};
  RunFaulty(AlignRegionsKernels(), spec, {src.data(), roi.data(), outside.data()}, &what);
  EXPECT_STREQ(what, "a region's batch index is outside of the batch");
  for (const float end : {INFINITY, NAN, 81.0f}) {
    const std::vector<float> large = {0, 0, end, 2};
    RunFaulty(AlignRegionsKernels(), spec, {src.data(), large.data(), inside.data()}, &what);
    EXPECT_STREQ(what, "a region is not finite or too large");
  }
  const std::vector<float> largest = {0, 0, 80.0f, 2};  // 4 * 4 + 64
  RunFaulty(AlignRegionsKernels(), spec, {src.data(), largest.data(), inside.data()}, &what);
  EXPECT_EQ(what, nullptr);
}

TEST(UnpoolingTest, PutsElementsWhereIndicesSay) {
  const std::vector<float> src = {1, 2, 3};
  const std::vector<int64_t> indices = {1, 6, 3};
  UnpoolingSpec spec{3, {2, 4}, {2, 4}};
  EXPECT_EQ(testing::RunEngine<float>(UnpoolingKernels(), "reference", spec,
                                      {src.data(), indices.data()}, 8),
            (std::vector<float>{0, 1, 0, 3, 0, 0, 2, 0}));
  spec.dst = {3, 3};  // shares a corner with [2, 4]: column 3 is left out
  EXPECT_EQ(testing::RunEngine<float>(UnpoolingKernels(), "reference", spec,
                                      {src.data(), indices.data()}, 9),
            (std::vector<float>{0, 1, 0, 0, 0, 2, 0, 0, 0}));
  const char* what = nullptr;
  const std::vector<int64_t> wrong = {1, 8, -1};
  RunFaulty(UnpoolingKernels(), UnpoolingSpec{3, {2, 4}, {2, 4}}, {src.data(), wrong.data()},
            &what);
  EXPECT_STREQ(what, "an index is outside of the output");
}

}  // namespace
}  // namespace fourfold::kernels
