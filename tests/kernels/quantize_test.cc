#include "kernels/quantize.h"

#include <cmath>

#include "testing.h"

namespace fourfold::kernels {
namespace {

using testing::Random;

class QuantizeTest : public ::testing::TestWithParam<int64_t> {};

std::vector<float> Values(Random& random, int64_t count) {
  std::vector<float> values = random.Reals(count, -300.0f, 300.0f);
  const std::vector<float> special = {NAN, INFINITY, -INFINITY, 0.5f, 1.5f, -0.5f, 1e38f, -0.0f};
  for (size_t i = 0; i < special.size() && i * 3 < values.size(); ++i) values[i * 3] = special[i];
  return values;
}

template <typename T>
void ExpectQuantized(ElementType type, int64_t channels, int64_t inner) {
  Random random(static_cast<uint32_t>(channels * 1000 + inner));
  QuantizeSpec spec{.outer = 2,
                    .channels = channels,
                    .inner = inner,
                    .src_type = ElementType::kFloat32,
                    .dst_type = type,
                    .params = {}};
  for (int64_t c = 0; c < channels; ++c) {
    spec.params.push_back({c == 0 ? 1.0f : random.Real(0.01f, 2.0f),
                           static_cast<int32_t>(random.Integer(std::numeric_limits<T>::min(),
                                                               std::numeric_limits<T>::max()))});
  }
  const int64_t count = 2 * channels * inner;
  const std::vector<float> src = Values(random, count);
  const std::vector<T> got =
      testing::ExpectEnginesAgree<T>(QuantizeKernels(), spec, {src.data()}, count, 0);
  std::vector<float> want_back;
  for (int64_t i = 0; i < count; ++i) {
    const QuantParams& p = spec.params[static_cast<size_t>(i / inner % channels)];
    const auto at = static_cast<size_t>(i);
    ASSERT_EQ(got[at], RoundAndSaturate<T>(src[at] / p.scale, p.zero_point))
        << i << ": " << src[at];
    want_back.push_back(static_cast<float>(got[at] - p.zero_point) * p.scale);
  }
  std::swap(spec.src_type, spec.dst_type);
  EXPECT_EQ(testing::ExpectEnginesAgree<float>(DequantizeKernels(), spec, {got.data()}, count, 0),
            want_back);
}

TEST_P(QuantizeTest, PerTensor) {
  ExpectQuantized<uint8_t>(ElementType::kUint8, 1, GetParam());
  ExpectQuantized<int8_t>(ElementType::kInt8, 1, GetParam());
}

TEST_P(QuantizeTest, PerChannel) {
  ExpectQuantized<uint8_t>(ElementType::kUint8, 3, GetParam());
  ExpectQuantized<int8_t>(ElementType::kInt8, 17, GetParam());
}

TEST_P(QuantizeTest, ComputedParametersDoAsConstantOnes) {
  const int64_t inner = GetParam(), count = 2 * 3 * inner;
  Random random(static_cast<uint32_t>(inner));
  const std::vector<float> src = Values(random, count);
  const std::vector<float> scales = {0.5f, 2.0f, 0.01f};
  const std::vector<int8_t> zero_points = {3, -128, 0};
  for (const bool with_zero_points : {true, false}) {
    QuantizeSpec known{.outer = 2, .channels = 3, .inner = inner, .dst_type = ElementType::kInt8};
    for (size_t c = 0; c < 3; ++c)
      known.params.push_back({scales[c], with_zero_points ? zero_points[c] : 0});
    QuantizeSpec computed = known;
    computed.params.clear();
    computed.computed = true;
    const void* zeros = with_zero_points ? zero_points.data() : nullptr;
    const auto integers =
        testing::ExpectEnginesAgree<int8_t>(QuantizeKernels(), known, {src.data()}, count, 0);
    EXPECT_EQ(testing::ExpectEnginesAgree<int8_t>(QuantizeKernels(), computed,
                                                  {src.data(), scales.data(), zeros}, count, 0),
              integers);
    std::swap(known.src_type, known.dst_type);
    std::swap(computed.src_type, computed.dst_type);
    EXPECT_EQ(testing::ExpectEnginesAgree<float>(DequantizeKernels(), computed,
                                                 {integers.data(), scales.data(), zeros}, count, 0),
              testing::ExpectEnginesAgree<float>(DequantizeKernels(), known, {integers.data()},
                                                 count, 0));
  }
}

TEST_P(QuantizeTest, DynamicFollowsTheRangeOfEachSample) {
  Random random(static_cast<uint32_t>(GetParam()));
  const int64_t elements = GetParam(), samples = 3;
  std::vector<float> src = random.Reals(samples * elements, -2.0f, 5.0f);
  for (int64_t i = 0; i < elements; ++i) src[static_cast<size_t>(i)] = 0.0f;  // sample 0: all zero
  for (int64_t i = elements; i < 2 * elements; ++i)
    src[static_cast<size_t>(i)] += 2.5f;  // 1: positive
  if (elements > 2) src[static_cast<size_t>(2 * elements + 1)] = NAN;
  const PreparedPtr kernel = PrepareFirst(
      DynamicQuantizeKernels(), DynamicQuantizeSpec{.samples = samples, .elements = elements}, {});
  ASSERT_NE(kernel, nullptr);
  testing::Guarded<uint8_t> dst(samples * elements);
  testing::Guarded<QuantParams> params(samples);
  testing::ThreeThreads three;
  testing::Run(*kernel, {src.data()}, {dst.data(), params.data()}, three);
  ASSERT_TRUE(dst.intact() && params.intact());
  EXPECT_EQ(params.values()[0], (QuantParams{1.0f, 0}));
  for (int64_t s = 0; s < samples; ++s) {
    float low = 0, high = 0;
    for (int64_t i = s * elements; i < (s + 1) * elements; ++i) {
      low = std::fmin(low, src[static_cast<size_t>(i)]);
      high = std::fmax(high, src[static_cast<size_t>(i)]);
    }
    const QuantParams p = params.values()[static_cast<size_t>(s)];
    if (s > 0) {
      ASSERT_EQ(p.scale, (high - low) / 255.0f);
      ASSERT_EQ(p.zero_point, std::lrint(-low / p.scale));
    }
    for (int64_t i = s * elements; i < (s + 1) * elements; ++i) {
      const auto at = static_cast<size_t>(i);
      ASSERT_EQ(dst.values()[at], RoundAndSaturate<uint8_t>(src[at] / p.scale, p.zero_point)) << i;
      if (i - s * elements > 40) break;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Lengths, QuantizeTest,
                         ::testing::Values(1, 15, 16, 17, 35, 64, 131, 40000),
                         ::testing::PrintToStringParamName());

TEST(QuantizeSpecTest, RefusesParamsThatDoNotMatchTheChannels) {
  EXPECT_EQ(
      PrepareFirst(QuantizeKernels(), QuantizeSpec{.channels = 2, .inner = 4, .params = {{}}}, {}),
      nullptr);
}

}  // namespace
}  // namespace fourfold::kernels
