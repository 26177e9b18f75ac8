#include "kernels/pooling.h"

#include <cmath>

#include "testing.h"

namespace fourfold::kernels {
namespace {

using testing::Random;

struct Case {
  std::string name;
  Dims src, kernel, strides, dilations, begin, end, out;
};

class PoolingTest
    : public ::testing::TestWithParam<std::tuple<Case, PoolingSpec::Kind, ElementType, Layout>> {};

double ValueAt(ElementType type, const void* data, int64_t i) {
  if (type == ElementType::kFloat32) return static_cast<const float*>(data)[i];
  if (type == ElementType::kUint8) return static_cast<const uint8_t*>(data)[i];
  return static_cast<const int8_t*>(data)[i];
}

// Elements of the window of output (image, channel, place), and how many lie in the padded image.
std::vector<double> WindowOf(const PoolingSpec& spec, const void* data, const Dims& index,
                             int64_t* padded) {
  const std::vector<int64_t> strides = Strides(spec.src.dims, spec.src.layout);
  std::vector<double> values;
  *padded = 0;
  for (int64_t tap = 0; tap < ElementCount(spec.kernel); ++tap) {
    int64_t rest = tap, offset = index[0] * strides[0] + index[1] * strides[1];
    bool inside = true, in_padding = true;
    for (size_t d = spec.kernel.size(); d-- > 0;) {
      const int64_t dilation = spec.dilations.empty() ? 1 : spec.dilations[d];
      const int64_t at =
          index[d + 2] * spec.strides[d] - spec.pads_begin[d] + rest % spec.kernel[d] * dilation;
      rest /= spec.kernel[d];
      inside = inside && at >= 0 && at < spec.src.dims[d + 2];
      in_padding = in_padding && at < spec.src.dims[d + 2] + spec.pads_end[d];
      offset += at * strides[d + 2];
    }
    if (in_padding) ++*padded;
    if (inside) values.push_back(ValueAt(spec.src.type, data, offset));
  }
  return values;
}

template <typename T>
void ExpectPooled(const PoolingSpec& spec, const std::vector<T>& src, bool global) {
  const int64_t count = ElementCount(spec.dst.dims);
  const std::vector<T> got =
      testing::ExpectEnginesAgree<T>(PoolingKernels(), spec, {src.data()}, count, 1e-6);
  const std::vector<int64_t> strides = Strides(spec.dst.dims, spec.dst.layout);
  Dims index(spec.dst.dims.size(), 0);
  for (int64_t i = 0; i < count; ++i) {
    int64_t padded = 0, offset = 0;
    for (size_t d = 0; d < index.size(); ++d) offset += index[d] * strides[d];
    const std::vector<double> window = WindowOf(spec, src.data(), index, &padded);
    const double value = static_cast<double>(got[static_cast<size_t>(offset)]);
    double sum = 0, high = -INFINITY;
    for (double x : window) sum += x, high = std::max(high, x);
    const double size = static_cast<double>(spec.kind == PoolingSpec::Kind::kAverageIncludePad
                                                ? padded
                                                : static_cast<int64_t>(window.size()));
    if (spec.kind == PoolingSpec::Kind::kMax) {
      ASSERT_EQ(value, high);
    } else if (spec.kind == PoolingSpec::Kind::kLp) {
      double powers = 0;
      for (double x : window) powers += std::pow(std::fabs(x), spec.p);
      const double norm = std::pow(powers, 1.0 / static_cast<double>(spec.p));
      ASSERT_NEAR(value, norm, 1e-6 * (1.0 + norm));
    } else if constexpr (std::is_same_v<T, float>) {
      ASSERT_NEAR(value, sum / size, 1e-5);
    } else if (global) {
      const auto total = static_cast<float>(sum - spec.src_params.zero_point * size);
      const float scale =
          spec.src_params.scale / (spec.dst_params.scale * static_cast<float>(size));
      ASSERT_EQ(got[static_cast<size_t>(offset)],
                RoundAndSaturate<T>(total * scale, spec.dst_params.zero_point));
    } else {
      float total = 0;
      for (double x : window) {
        total += spec.src_params.scale * static_cast<float>(x - spec.src_params.zero_point);
      }
      const float stored = total / static_cast<float>(size) / spec.dst_params.scale;
      ASSERT_EQ(got[static_cast<size_t>(offset)],
                RoundAndSaturate<T>(stored + static_cast<float>(spec.dst_params.zero_point), 0));
    }
    for (size_t d = index.size(); d-- > 0;) {
      if (++index[d] < spec.dst.dims[d]) break;
      index[d] = 0;
    }
  }
}

TEST_P(PoolingTest, EqualsTheDefinition) {
  const auto& [c, kind, type, layout] = GetParam();
  if (kind == PoolingSpec::Kind::kLp && type != ElementType::kFloat32)
    GTEST_SKIP() << "norms are of floats";
  Random random(static_cast<uint32_t>(std::hash<std::string>{}(c.name) % 100000));
  PoolingSpec spec{.kind = kind,
                   .p = 1 + static_cast<int64_t>(c.name.size() % 3),
                   .src = {type, c.src, layout},
                   .dst = {type, {c.src[0], c.src[1]}, layout},
                   .kernel = c.kernel,
                   .strides = c.strides,
                   .dilations = c.dilations,
                   .pads_begin = c.begin,
                   .pads_end = c.end,
                   .src_params = {0.05f, 3},
                   .dst_params = {0.05f, 3}};
  spec.dst.dims.insert(spec.dst.dims.end(), c.out.begin(), c.out.end());
  if (kind != PoolingSpec::Kind::kMax) spec.dst_params = {0.04f, -5};
  const int64_t count = ElementCount(c.src);
  const bool global = c.name.starts_with("global");
  if (type == ElementType::kFloat32) ExpectPooled(spec, random.Reals(count, -3.0f, 2.0f), global);
  if (type == ElementType::kInt8) ExpectPooled(spec, random.Integers<int8_t>(count), global);
  if (kind != PoolingSpec::Kind::kMax) spec.dst_params.zero_point = 131;
  if (type == ElementType::kUint8) ExpectPooled(spec, random.Integers<uint8_t>(count), global);
}

std::string NameOf(const ::testing::TestParamInfo<PoolingTest::ParamType>& info) {
  const auto& [c, kind, type, layout] = info.param;
  const std::vector<std::string> kinds = {"max", "average", "averagepad", "lp"};
  return c.name + "_" + kinds[static_cast<size_t>(kind)] + "_" +
         std::string(ElementTypeName(type)) + (layout == Layout::kRowMajor ? "_nchw" : "_nhwc");
}

INSTANTIATE_TEST_SUITE_P(
    Cases, PoolingTest,
    ::testing::Combine(
        ::testing::Values(
            Case{"global7x7", {2, 300, 7, 7}, {7, 7}, {1, 1}, {}, {0, 0}, {0, 0}, {1, 1}},
            Case{"global1", {1, 1, 1}, {1}, {1}, {}, {0}, {0}, {1}},
            Case{"two", {1, 15, 8, 6}, {2, 2}, {2, 2}, {}, {0, 0}, {0, 0}, {4, 3}},
            Case{"padded", {2, 17, 9, 9}, {3, 3}, {2, 2}, {}, {1, 1}, {1, 1}, {5, 5}},
            Case{"ceil", {1, 5, 6, 6}, {3, 3}, {2, 2}, {}, {0, 0}, {0, 0}, {3, 3}},
            Case{"dilated", {1, 35, 9, 9}, {3, 2}, {1, 2}, {2, 3}, {1, 0}, {0, 1}, {6, 4}},
            Case{"line", {3, 64, 11}, {4}, {3}, {}, {1}, {2}, {4}},
            Case{"volume",
                 {1, 3, 4, 5, 6},
                 {2, 3, 2},
                 {2, 1, 3},
                 {},
                 {0, 1, 0},
                 {0, 1, 0},
                 {2, 5, 2}}),
        ::testing::Values(PoolingSpec::Kind::kMax, PoolingSpec::Kind::kAverage,
                          PoolingSpec::Kind::kAverageIncludePad, PoolingSpec::Kind::kLp),
        ::testing::Values(ElementType::kFloat32, ElementType::kUint8, ElementType::kInt8),
        ::testing::Values(Layout::kRowMajor, Layout::kChannelsLast)),
    NameOf);

// Each index names an element that is the maximum of its window; the first one of equals.
TEST(PoolingIndicesTest, NameTheFirstOfTheLargestElements) {
  const std::vector<float> src = {1, 5, 5, 2, 7, 7, 3, 7, 0, 1, 1, 0,   // 3 x 4
                                  9, 8, 7, 6, 5, 4, 3, 2, 1, 0, 9, 9};  // and another channel
  PoolingSpec spec{.indices = true,
                   .src = {.dims = {1, 2, 3, 4}},
                   .dst = {.dims = {1, 2, 2, 3}},
                   .kernel = {2, 2},
                   .strides = {1, 1},
                   .pads_begin = {0, 0},
                   .pads_end = {0, 0}};
  const PreparedPtr kernel =
      PrepareFirst(PoolingKernels(), spec, {.features = DetectCpuFeatures()});
  std::vector<float> dst(12);
  std::vector<int64_t> indices(12);
  testing::ThreeThreads three;
  testing::Run(*kernel, {src.data()}, {dst.data(), indices.data()}, three);
  EXPECT_EQ(dst, (std::vector<float>{7, 7, 7, 7, 7, 7, 9, 8, 7, 5, 9, 9}));
  EXPECT_EQ(indices, (std::vector<int64_t>{4, 5, 7, 4, 5, 7, 12, 13, 14, 16, 22, 22}));
  spec.column_major = true;  // element (y, x) of a channel counts as y + 3 x
  const PreparedPtr columns = PrepareFirst(PoolingKernels(), spec, {});
  testing::Run(*columns, {src.data()}, {dst.data(), indices.data()}, three);
  EXPECT_EQ(indices, (std::vector<int64_t>{1, 4, 10, 1, 4, 10, 12, 15, 18, 13, 20, 20}));
}

}  // namespace
}  // namespace fourfold::kernels
