#include "kernels/normalization.h"

#include <cmath>

#include "testing.h"

namespace fourfold::kernels {
namespace {

using testing::Random;

struct Case {
  std::string name;
  int64_t rows, length;
  bool centered;
  Repeated scale, bias;
  float offset;  // of all elements
};

class NormalizationTest : public ::testing::TestWithParam<Case> {};

float Pick(const Repeated& r, const std::vector<float>& vector, int64_t element, float missing) {
  return r.count == 0 ? missing : vector[static_cast<size_t>(element / r.run % r.count)];
}

TEST_P(NormalizationTest, EqualsTheDefinition) {
  const Case& c = GetParam();
  Random random(static_cast<uint32_t>(c.rows * 1000 + c.length));
  NormalizationSpec spec{.rows = c.rows,
                         .length = c.length,
                         .epsilon = 1e-3f,
                         .centered = c.centered,
                         .scale = c.scale,
                         .bias = c.bias};
  const int64_t count = c.rows * c.length;
  const std::vector<float> src = random.Reals(count, c.offset - 2.0f, c.offset + 3.0f);
  const std::vector<float> scale = random.Reals(std::max<int64_t>(c.scale.count, 1));
  const std::vector<float> bias = random.Reals(std::max<int64_t>(c.bias.count, 1));
  const std::vector<const void*> inputs = {src.data(), c.scale.count == 0 ? nullptr : scale.data(),
                                           c.bias.count == 0 ? nullptr : bias.data()};
  const std::vector<float> got =
      testing::ExpectEnginesAgree<float>(NormalizationKernels(), spec, inputs, count, 1e-5);
  const PreparedPtr kernel = PrepareFirst(NormalizationKernels(), spec, {});
  std::vector<float> y(src.size()), means(static_cast<size_t>(c.rows)),
      inverses(static_cast<size_t>(c.rows));
  Sequential sequential;
  testing::Run(*kernel, inputs, {y.data(), means.data(), inverses.data()}, sequential);
  EXPECT_EQ(y, got);
  for (int64_t row = 0; row < c.rows; ++row) {
    const float* x = src.data() + row * c.length;
    double mean = 0.0, variance = 0.0;
    for (int64_t i = 0; i < c.length; ++i) mean += c.centered ? x[i] : 0.0;
    mean /= static_cast<double>(c.length);
    for (int64_t i = 0; i < c.length; ++i) variance += (x[i] - mean) * (x[i] - mean);
    variance /= static_cast<double>(c.length);
    const double inverse = 1.0 / std::sqrt(variance + 1e-3);
    const auto r = static_cast<size_t>(row);
    // A mean that is rounded to float32 moves all elements by its rounding error.
    const double rounding = std::fabs(mean) * 6e-8 * inverse;
    ASSERT_NEAR(means[r], mean, 1e-6 * (1.0 + std::fabs(mean)));
    ASSERT_NEAR(inverses[r], inverse, 1e-5 * inverse);
    for (int64_t i = 0; i < c.length; ++i) {
      const int64_t element = row * c.length + i;
      const double want = (x[i] - mean) * inverse * Pick(c.scale, scale, element, 1.0f) +
                          Pick(c.bias, bias, element, 0.0f);
      ASSERT_NEAR(got[static_cast<size_t>(element)], want, 2e-5 + rounding) << element;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    Cases, NormalizationTest,
    ::testing::Values(Case{"one", 1, 1, true, {1, 1}, {1, 1}, 0.0f},
                      Case{"bare", 3, 17, true, {}, {}, 0.0f},
                      Case{"layer", 12, 768, true, {1, 768}, {1, 768}, 0.0f},
                      Case{"layer_without_bias", 5, 33, true, {1, 33}, {}, 1.0f},
                      Case{"layer_of_channels", 2, 60, true, {4, 15}, {1, 60}, 0.0f},
                      Case{"scalar", 4, 16, true, {1, 1}, {1, 1}, 0.0f},
                      Case{"instance", 6, 35, true, {35, 3}, {35, 3}, 0.0f},
                      Case{"group", 4, 70, true, {35, 4}, {35, 4}, 0.0f},
                      Case{"root_mean_square", 3, 100, false, {1, 100}, {}, 0.0f},
                      Case{"long", 1, 100003, true, {100003, 1}, {}, 0.5f},
                      Case{"far_from_zero", 2, 5000, true, {}, {}, 1000.0f}),
    [](const auto& info) { return info.param.name; });

class LpNormalizationTest : public ::testing::TestWithParam<std::tuple<int64_t, int64_t>> {};

TEST_P(LpNormalizationTest, EqualsTheDefinition) {
  const auto& [p, inner] = GetParam();
  const LpNormalizationSpec spec{.p = p, .outer = 3, .axis = 7, .inner = inner};
  const int64_t count = 3 * 7 * inner;
  Random random(static_cast<uint32_t>(p));
  std::vector<float> src = random.Reals(count);
  for (int64_t i = 0; i < 7; ++i) src[static_cast<size_t>(i * inner)] = 0.0f;  // a line of zeros
  const auto got =
      testing::ExpectEnginesAgree<float>(LpNormalizationKernels(), spec, {src.data()}, count, 1e-6);
  for (int64_t line = 0; line < 3 * inner; ++line) {
    const auto at = [&](int64_t i) {
      return static_cast<size_t>((line / inner * 7 + i) * inner + line % inner);
    };
    double norm = 0.0;
    for (int64_t i = 0; i < 7; ++i) norm += std::pow(std::fabs(src[at(i)]), p);
    norm = std::pow(norm, 1.0 / static_cast<double>(p));
    for (int64_t i = 0; i < 7; ++i) {
      ASSERT_NEAR(got[at(i)], norm == 0.0 ? 0.0 : src[at(i)] / norm, 1e-6);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Norms, LpNormalizationTest,
                         ::testing::Combine(::testing::Values(1, 2), ::testing::Values(1, 5)));

class LocalResponseNormTest : public ::testing::TestWithParam<std::tuple<int64_t, int64_t>> {};

TEST_P(LocalResponseNormTest, EqualsTheDefinition) {
  const auto& [size, space] = GetParam();
  const LocalResponseNormSpec spec{.batch = 2,
                                   .channels = 6,
                                   .space = space,
                                   .size = size,
                                   .alpha = 0.3f,
                                   .beta = 0.7f,
                                   .bias = 1.5f};
  const int64_t count = 2 * 6 * space;
  Random random(static_cast<uint32_t>(size));
  const std::vector<float> src = random.Reals(count, -2.0f, 2.0f);
  const auto got = testing::ExpectEnginesAgree<float>(LocalResponseNormKernels(), spec,
                                                      {src.data()}, count, 1e-6);
  for (int64_t i = 0; i < count; ++i) {
    const int64_t channel = i / space % 6;
    double sum = 0.0;
    // ONNX: from c - floor((size - 1) / 2) to c + ceil((size - 1) / 2).
    const auto half = static_cast<double>(size - 1) / 2.0;
    for (int64_t c = 0; c < 6; ++c) {
      if (c < static_cast<double>(channel) - std::floor(half) ||
          c > static_cast<double>(channel) + std::ceil(half)) {
        continue;
      }
      const double x = src[static_cast<size_t>(i + (c - channel) * space)];
      sum += x * x;
    }
    const double want =
        src[static_cast<size_t>(i)] / std::pow(1.5 + 0.3 / static_cast<double>(size) * sum, 0.7);
    ASSERT_NEAR(got[static_cast<size_t>(i)], want, 1e-5);
  }
}

INSTANTIATE_TEST_SUITE_P(Sizes, LocalResponseNormTest,
                         ::testing::Combine(::testing::Values(1, 2, 3, 5, 9),
                                            ::testing::Values(1, 300)));

}  // namespace
}  // namespace fourfold::kernels
