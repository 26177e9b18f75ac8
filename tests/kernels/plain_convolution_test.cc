#include "kernels/plain_convolution.h"

#include "testing.h"

namespace fourfold::kernels {
namespace {

using testing::Random;

struct Case {
  std::string name;
  bool transposed;
  Dims src, weights, dst;
  int64_t groups;
  Dims strides, dilations, pads;
};

class PlainConvolutionTest : public ::testing::TestWithParam<Case> {};

Dims IndexOf(int64_t i, const Dims& dims) {
  Dims index(dims.size());
  for (size_t d = dims.size(); d-- > 0; i /= dims[d]) index[d] = i % dims[d];
  return index;
}

size_t OffsetOf(const Dims& index, const Dims& dims) {
  int64_t offset = 0;
  for (size_t d = 0; d < dims.size(); ++d) offset = offset * dims[d] + index[d];
  return static_cast<size_t>(offset);
}

// The definition: every product of a source element and a weight goes where the formula says.
std::vector<double> Scatter(const Case& c, const std::vector<float>& src,
                            const std::vector<float>& weights, const std::vector<float>& bias) {
  std::vector<double> sums(static_cast<size_t>(ElementCount(c.dst)));
  for (size_t i = 0; i < sums.size(); ++i) {
    sums[i] =
        bias.empty() ? 0.0 : bias[static_cast<size_t>(IndexOf(static_cast<int64_t>(i), c.dst)[1])];
  }
  const int64_t group_in = c.src[1] / c.groups, group_out = c.dst[1] / c.groups;
  for (int64_t w = 0; w < ElementCount(c.weights); ++w) {
    const Dims at = IndexOf(w, c.weights);
    for (int64_t s = 0; s < ElementCount(c.src); ++s) {
      const Dims x = IndexOf(s, c.src);
      const int64_t group = x[1] / group_in;
      Dims y = {x[0], 0};
      if (c.transposed) {
        if (at[0] != x[1]) continue;
        y[1] = group * group_out + at[1];
      } else {
        if (at[1] != x[1] % group_in || at[0] / group_out != group) continue;
        y[1] = at[0];
      }
      bool inside = true;
      for (size_t d = 2; d < x.size(); ++d) {
        const int64_t shift = at[d] * c.dilations[d - 2] - c.pads[d - 2];
        const int64_t stride = c.strides[d - 2];
        const int64_t scaled = c.transposed ? x[d] * stride + shift : x[d] - shift;
        if (!c.transposed && scaled % stride != 0) inside = false;
        y.push_back(c.transposed ? scaled : scaled / stride);
        inside = inside && scaled >= 0 && y[d] < c.dst[d];
      }
      if (!inside) continue;
      sums[OffsetOf(y, c.dst)] += static_cast<double>(src[static_cast<size_t>(s)]) *
                                  static_cast<double>(weights[static_cast<size_t>(w)]);
    }
  }
  return sums;
}

TEST_P(PlainConvolutionTest, EqualsTheDefinition) {
  const Case& c = GetParam();
  Random random(static_cast<uint32_t>(c.name.size() * 31 + c.src.size()));
  PlainConvolutionSpec spec;
  spec.transposed = c.transposed;
  spec.src.dims = c.src;
  spec.weights.dims = c.weights;
  spec.dst.dims = c.dst;
  spec.groups = c.groups;
  spec.strides = c.strides;
  spec.dilations = c.dilations;
  spec.pads_begin = c.pads;
  const std::vector<float> src = random.Reals(ElementCount(c.src));
  const std::vector<float> weights = random.Reals(ElementCount(c.weights));
  const std::vector<float> bias = random.Reals(c.dst[1]);
  const int64_t count = ElementCount(c.dst);
  const std::vector<double> want = Scatter(c, src, weights, bias);
  const std::vector<float> got = testing::ExpectEnginesAgree<float>(
      PlainConvolutionKernels(), spec, {src.data(), weights.data(), bias.data()}, count, 1e-5);
  for (size_t i = 0; i < got.size(); ++i) ASSERT_NEAR(got[i], want[i], 1e-5) << "element " << i;

  const std::vector<double> without = Scatter(c, src, weights, {});
  const std::vector<float> residual = random.Reals(count);
  spec.activation = {.kind = Activation::Kind::kRelu};
  const std::vector<float> active = testing::ExpectEnginesAgree<float>(
      PlainConvolutionKernels(), spec, {src.data(), weights.data(), nullptr, residual.data()},
      count, 1e-5);
  for (size_t i = 0; i < active.size(); ++i) {
    ASSERT_NEAR(active[i], std::max(0.0, without[i] + residual[i]), 1e-5) << "element " << i;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Cases, PlainConvolutionTest,
    ::testing::Values(
        Case{"one", false, {1, 1, 1}, {1, 1, 1}, {1, 1, 1}, 1, {1}, {1}, {0}},
        Case{"line", false, {2, 4, 11}, {6, 2, 3}, {2, 6, 6}, 2, {2}, {1}, {1}},
        Case{"image", false, {2, 3, 7, 9}, {5, 3, 3, 2}, {2, 5, 6, 5}, 1, {1, 2}, {2, 1}, {1, 0}},
        Case{"depthwise",
             false,
             {1, 4, 6, 5},
             {8, 1, 3, 3},
             {1, 8, 6, 5},
             4,
             {1, 1},
             {1, 1},
             {1, 1}},
        Case{"volume",
             false,
             {1, 2, 4, 5, 6},
             {3, 2, 2, 3, 2},
             {1, 3, 3, 4, 3},
             1,
             {1, 1, 2},
             {1, 1, 1},
             {0, 0, 0}},
        Case{"outside", false, {1, 1, 3}, {1, 1, 2}, {1, 1, 9}, 1, {1}, {1}, {4}},
        Case{"transposed_one", true, {1, 1, 1}, {1, 1, 1}, {1, 1, 1}, 1, {1}, {1}, {0}},
        Case{"transposed_line", true, {2, 4, 5}, {4, 3, 4}, {2, 6, 10}, 2, {2}, {1}, {1}},
        Case{"transposed_image",
             true,
             {2, 3, 4, 5},
             {3, 5, 3, 2},
             {2, 5, 9, 13},
             1,
             {2, 3},
             {2, 1},
             {1, 0}},
        Case{"transposed_dilated",
             true,
             {1, 2, 5, 4},
             {2, 2, 3, 3},
             {1, 2, 8, 8},
             1,
             {1, 2},
             {3, 1},
             {2, 0}},
        Case{"transposed_volume",
             true,
             {1, 2, 3, 2, 4},
             {2, 3, 2, 3, 2},
             {1, 3, 6, 4, 8},
             1,
             {2, 1, 2},
             {1, 1, 1},
             {0, 0, 0}},
        Case{"transposed_cropped", true, {1, 1, 4}, {1, 1, 5}, {1, 1, 5}, 1, {2}, {1}, {3}}),
    [](const auto& info) { return info.param.name; });

TEST(PlainConvolutionSpecTest, RefusesWhatDoesNotFit) {
  PlainConvolutionSpec spec;
  spec.src.dims = {1, 4, 5};
  spec.weights.dims = {2, 3, 1};  // wants 3 channels
  spec.dst.dims = {1, 2, 5};
  spec.strides = spec.dilations = {1};
  spec.pads_begin = {0};
  EXPECT_EQ(PrepareFirst(PlainConvolutionKernels(), spec, {}), nullptr);
  spec.weights.dims = {2, 4, 1};
  EXPECT_NE(PrepareFirst(PlainConvolutionKernels(), spec, {}), nullptr);
}

}  // namespace
}  // namespace fourfold::kernels
