#include "kernels/signal.h"

#include <cmath>
#include <complex>
#include <numbers>

#include "testing.h"

namespace fourfold::kernels {
namespace {

using ::testing::ElementsAre;
using ::testing::FloatNear;
using Complex = std::complex<double>;

// The definition, term by term.
std::vector<Complex> Definition(const std::vector<Complex>& x, int64_t length, bool inverse) {
  std::vector<Complex> result;
  for (int64_t w = 0; w < length; ++w) {
    Complex sum = 0;
    for (int64_t t = 0; t < std::min(length, static_cast<int64_t>(x.size())); ++t) {
      const double turn = static_cast<double>(w * t % length) / static_cast<double>(length);
      sum += x[static_cast<size_t>(t)] *
             std::polar(1.0, (inverse ? 2.0 : -2.0) * std::numbers::pi * turn);
    }
    result.push_back(inverse ? sum / static_cast<double>(length) : sum);
  }
  return result;
}

class FourierTest : public ::testing::TestWithParam<int64_t> {};

TEST_P(FourierTest, EqualsItsDefinitionBothWays) {
  const int64_t n = GetParam();
  testing::Random random(static_cast<uint32_t>(n));
  const std::vector<float> x = random.Reals(2 * n);
  std::vector<Complex> exact;
  for (int64_t i = 0; i < n; ++i)
    exact.emplace_back(x[static_cast<size_t>(2 * i)], x[static_cast<size_t>(2 * i + 1)]);
  for (bool inverse : {false, true}) {
    const FourierSpec spec{.axis = n, .complex = true, .inverse = inverse, .length = n, .bins = n};
    const auto got =
        testing::RunEngine<float>(FourierKernels(), "reference", spec, {x.data()}, 2 * n, 3);
    const std::vector<Complex> want = Definition(exact, n, inverse);
    const double bound = 1e-6 * std::sqrt(static_cast<double>(n)) + 1e-6;
    for (size_t w = 0; w < want.size(); ++w) {
      ASSERT_NEAR(got[2 * w], want[w].real(), bound) << w;
      ASSERT_NEAR(got[2 * w + 1], want[w].imag(), bound) << w;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Lengths, FourierTest,
                         ::testing::Values(1, 2, 3, 4, 5, 7, 8, 12, 16, 17, 31, 64, 100, 127, 256,
                                           400),
                         ::testing::PrintToStringParamName());

TEST(FourierShapeTest, CutsPadsAndKeepsOneSideAlongAMiddleAxis) {
  const std::vector<double> x = {1, 10, 2, 20, 3, 30};  // [1, 3, 2]: 1 2 3 and 10 20 30
  for (int64_t length : {2, 3, 5}) {
    SCOPED_TRACE(length);
    const int64_t bins = length / 2 + 1;
    const FourierSpec spec{
        .type = ElementType::kFloat64, .axis = 3, .inner = 2, .length = length, .bins = bins};
    const auto got =
        testing::RunEngine<double>(FourierKernels(), "reference", spec, {x.data()}, bins * 4);
    const std::vector<Complex> want = Definition({1, 2, 3}, length, false);
    for (int64_t w = 0; w < bins; ++w) {
      for (int64_t i = 0; i < 2; ++i) {
        const auto at = static_cast<size_t>((w * 2 + i) * 2);
        const Complex expected = want[static_cast<size_t>(w)] * (i == 0 ? 1.0 : 10.0);
        EXPECT_NEAR(got[at], expected.real(), 1e-12);
        EXPECT_NEAR(got[at + 1], expected.imag(), 1e-12);
      }
    }
  }
}

// The spectrum of a real signal is conjugate around its middle: half of it gives the signal back.
TEST(FourierShapeTest, HalfASpectrumGivesARealSignal) {
  for (int64_t length : {5, 6}) {
    SCOPED_TRACE(length);
    const std::vector<Complex> signal({1.0, -2.0, 3.0, 0.5, 4.0, -1.0});
    const std::vector<Complex> spectrum =
        Definition({signal.begin(), signal.begin() + length}, length, false);
    std::vector<double> half;
    for (int64_t w = 0; w < length / 2 + 1; ++w) {
      half.push_back(spectrum[static_cast<size_t>(w)].real());
      half.push_back(spectrum[static_cast<size_t>(w)].imag());
    }
    const FourierSpec spec{.type = ElementType::kFloat64,
                           .axis = length / 2 + 1,
                           .complex = true,
                           .inverse = true,
                           .half = true,
                           .length = length,
                           .bins = length};
    const auto got =
        testing::RunEngine<double>(FourierKernels(), "reference", spec, {half.data()}, length);
    for (size_t t = 0; t < got.size(); ++t) EXPECT_NEAR(got[t], signal[t].real(), 1e-12) << t;
  }
}

TEST(FramesTest, TransformsWeightedFramesOneAfterAnother) {
  const std::vector<double> signal = {1, 2, 3, 4, 5, 6, -1, -2, -3, -4, -5, -6};
  const std::vector<double> window = {0.5, 1, 0.5};
  const FramesSpec spec{.type = ElementType::kFloat64,
                        .batch = 2,
                        .samples = 6,
                        .step = 2,
                        .frames = 2,
                        .length = 3,
                        .bins = 2};
  const auto got = testing::RunEngine<double>(FramesKernels(), "reference", spec,
                                              {signal.data(), nullptr, window.data()}, 16, 3);
  for (int64_t frame = 0; frame < 2; ++frame) {
    std::vector<Complex> part;
    for (int64_t t = 0; t < 3; ++t) {
      part.emplace_back(signal[static_cast<size_t>(2 * frame + t)] *
                        window[static_cast<size_t>(t)]);
    }
    const std::vector<Complex> want = Definition(part, 3, false);
    for (int64_t w = 0; w < 2; ++w) {
      for (int64_t batch = 0; batch < 2; ++batch) {
        const auto at = static_cast<size_t>(((batch * 2 + frame) * 2 + w) * 2);
        const Complex expected = want[static_cast<size_t>(w)] * (batch == 0 ? 1.0 : -1.0);
        EXPECT_NEAR(got[at], expected.real(), 1e-12);
        EXPECT_NEAR(got[at + 1], expected.imag(), 1e-12);
      }
    }
  }
}

TEST(FramesTest, RefusesFramesBehindTheSignal) {
  const FramesSpec spec{.samples = 6, .step = 2, .frames = 3, .length = 3, .bins = 3};
  EXPECT_EQ(PrepareFirst(FramesKernels(), spec, {}), nullptr);
}

TEST(WindowTest, WorkedFigures) {
  using Kind = WindowSpec::Kind;
  const auto window = [](Kind kind, int64_t count, bool periodic) {
    return testing::RunEngine<float>(WindowKernels(), "reference",
                                     {kind, ElementType::kFloat32, count, periodic}, {}, count);
  };
  const auto near = [](float want) { return FloatNear(want, 1e-6f); };
  EXPECT_THAT(window(Kind::kHann, 4, true), ElementsAre(near(0), near(0.5f), near(1), near(0.5f)));
  EXPECT_THAT(window(Kind::kHann, 5, false),
              ElementsAre(near(0), near(0.5f), near(1), near(0.5f), near(0)));
  EXPECT_THAT(window(Kind::kHamming, 2, true), ElementsAre(near(4.0f / 46), near(1)));
  EXPECT_THAT(window(Kind::kBlackman, 4, true),
              ElementsAre(near(0), near(0.34f), near(1), near(0.34f)));
  EXPECT_THAT(window(Kind::kHann, 1, false), ElementsAre(1));
}

}  // namespace
}  // namespace fourfold::kernels
