#include <cmath>
#include <limits>
#include <memory>
#include <optional>

#include "kernels/convolution.h"
#include "kernels/matmul.h"
#include "testing.h"

// Every row of the tables of convolution and matrix product that computes in int8 on this CPU, by
// itself, against the reference: integers are the same bytes, over lengths around those of
// registers and tiles and over extreme values. Sources end where readable memory ends.
namespace fourfold::kernels {
namespace {

using testing::Fenced;
using testing::Random;

enum class Values {
  kAny,       // all of int8 but -128 as weights, all bytes as sources
  kExtremes,  // only the ends of both ranges
};

// Types and constants of one case, chosen by its number; keeps what the Accumulation borrows.
struct Int8Case {
  ElementType src_type, dst_type;
  std::vector<int8_t> weights;
  std::vector<float> bias, multiplier;
  std::vector<uint8_t> src;
  std::vector<float> residual;
  std::vector<QuantParams> params;
  Accumulation sum;

  struct Sizes {
    int64_t channels, weights, src, dst, samples;
  };

  Int8Case(Random& random, int number, Values values, const Sizes& sizes) {
    src_type = number % 2 == 0 ? ElementType::kUint8 : ElementType::kInt8;
    const bool is_unsigned = src_type == ElementType::kUint8;
    const int64_t lowest = is_unsigned ? 0 : -128, highest = is_unsigned ? 255 : 127;
    weights = random.Integers<int8_t>(sizes.weights, -127, 127);
    src = random.Integers<uint8_t>(sizes.src);
    sum.src_zero_point = static_cast<int32_t>(random.Integer(lowest, highest));
    if (values == Values::kExtremes) {
      for (int8_t& weight : weights) weight = weight < 0 ? -127 : 127;
      // Most of them agree in sign, so that sums grow as long as they can.
      for (uint8_t& byte : src) byte = byte < 32 ? 0x80 : is_unsigned ? 0xFF : 0x7F;
      sum.src_zero_point = static_cast<int32_t>(number / 2 % 2 == 0 ? lowest : highest);
    }
    multiplier = random.Reals(sizes.channels, 0.0001f, 0.02f);
    multiplier[0] = 0.0f;
    sum.arithmetic = Arithmetic::kStaticInt8;
    switch (number / 2 % 4) {
      case 0: dst_type = ElementType::kUint8; break;
      case 1: dst_type = ElementType::kInt8; break;
      default: dst_type = ElementType::kFloat32; break;
    }
    if (number / 2 % 4 == 3) {
      sum.arithmetic = Arithmetic::kDynamicInt8;
      for (int64_t i = 0; i < sizes.samples; ++i) {
        params.push_back(
            {random.Real(0.001f, 0.01f), static_cast<int32_t>(random.Integer(lowest, highest))});
      }
    }
    if (number % 3 != 0) bias = random.Reals(sizes.channels, -9000.0f, 9000.0f);
    for (float& b : bias) b = std::round(b);
    if (dst_type != ElementType::kFloat32) {
      const int64_t low = dst_type == ElementType::kUint8 ? 0 : -128;
      sum.dst_zero_point = static_cast<int32_t>(
          std::vector<int64_t>{low, low + 255, random.Integer(low, low + 255)}[number % 3]);
    } else if (number % 3 == 1) {
      residual = random.Reals(sizes.dst);
      sum.residual = true;
    }
    if (number % 5 == 1) sum.activation = {Activation::Kind::kRelu, 0, 0};
    if (number % 5 == 3) sum.activation = {Activation::Kind::kClip, 0.0f, 6.0f};
    sum.weights = weights.data();
    sum.weights_type = ElementType::kInt8;
    sum.bias = bias;
    sum.multiplier = multiplier;
  }
  Int8Case(const Int8Case&) = delete;
  Int8Case& operator=(const Int8Case&) = delete;
};

// Same bits, or, in float32 of other engines than ours, what differs by rounding.
template <typename T>
bool AreEqual(const std::vector<T>& got, const std::vector<T>& want, std::string_view engine) {
  if constexpr (std::is_same_v<T, float>) {
    if (engine != "neon") return testing::Error(got, want) < 2e-5;
  }
  return got.size() == want.size() &&
         std::memcmp(got.data(), want.data(), got.size() * sizeof(T)) == 0;
}

template <typename T, typename Spec>
bool ExpectRowEqualsReference(std::span<const Kernel<Spec>> table, const Kernel<Spec>& row,
                              const Spec& spec, const std::vector<const void*>& inputs,
                              int64_t count) {
  const std::vector<T> want = testing::RunEngine<T>(table, "reference", spec, inputs, count);
  for (const int threads : {1, 3}) {
    const PreparedPtr kernel = row.prepare(spec, {.features = row.needs, .threads = threads});
    if (kernel == nullptr) return false;
    const std::vector<T> got = testing::RunKernel<T>(*kernel, inputs, count, threads);
    EXPECT_TRUE(AreEqual(got, want, row.engine))
        << kernel->implementation() << " with " << threads << " threads";
  }
  return true;
}

// Whether the row takes the spec; if so, its results must be the reference's.
template <typename Spec>
bool ExpectRowServes(std::span<const Kernel<Spec>> table, const Kernel<Spec>& row, const Spec& spec,
                     const Int8Case& c, int64_t count) {
  const Fenced<uint8_t> src(c.src);
  const Fenced<float> residual(c.residual);
  const Fenced<QuantParams> params(c.params);
  std::vector<const void*> inputs = {src.data()};
  if (spec.sum.arithmetic == Arithmetic::kDynamicInt8) inputs.push_back(params.data());
  if (spec.sum.residual) inputs.push_back(residual.data());
  switch (c.dst_type) {
    case ElementType::kUint8:
      return ExpectRowEqualsReference<uint8_t>(table, row, spec, inputs, count);
    case ElementType::kInt8:
      return ExpectRowEqualsReference<int8_t>(table, row, spec, inputs, count);
    default: return ExpectRowEqualsReference<float>(table, row, spec, inputs, count);
  }
}

struct Window {
  Dims in, kernel, strides, dilations, begin, end;
};

struct Shape {
  int64_t batch, channels, outputs, groups;
  Window window;
};

ConvolutionSpec SpecOf(const Shape& shape) {
  ConvolutionSpec spec{.groups = shape.groups,
                       .strides = shape.window.strides,
                       .dilations = shape.window.dilations,
                       .pads_begin = shape.window.begin,
                       .pads_end = shape.window.end,
                       .sum = {}};
  spec.src = {.dims = {shape.batch, shape.channels}, .layout = Layout::kChannelsLast};
  spec.dst = {.dims = {shape.batch, shape.outputs}, .layout = Layout::kChannelsLast};
  spec.weights = {shape.outputs, shape.channels / shape.groups};
  const Window& w = shape.window;
  for (size_t d = 0; d < w.in.size(); ++d) {
    spec.src.dims.push_back(w.in[d]);
    spec.weights.push_back(w.kernel[d]);
    const int64_t reach = (w.kernel[d] - 1) * w.dilations[d] + 1;
    spec.dst.dims.push_back((w.in[d] + w.begin[d] + w.end[d] - reach) / w.strides[d] + 1);
  }
  return spec;
}

// Runs one convolution through a row; whether it took it.
bool ExpectConvolution(const Kernel<ConvolutionSpec>& row, const Shape& shape, int number,
                       Values values) {
  ConvolutionSpec spec = SpecOf(shape);
  const ::testing::ScopedTrace trace(
      __FILE__, __LINE__,
      ::testing::PrintToString(spec.src.dims) + " to " + ::testing::PrintToString(spec.dst.dims) +
          ", weights " + ::testing::PrintToString(spec.weights) + ", groups " +
          std::to_string(shape.groups) + ", case " + std::to_string(number));
  Random random(static_cast<uint32_t>(number));
  const Int8Case c(random, number, values,
                   {.channels = shape.outputs,
                    .weights = ElementCount(spec.weights),
                    .src = ElementCount(spec.src.dims),
                    .dst = ElementCount(spec.dst.dims),
                    .samples = shape.batch});
  spec.src.type = c.src_type;
  spec.dst.type = c.dst_type;
  spec.sum = c.sum;
  return ExpectRowServes(ConvolutionKernels(), row, spec, c, ElementCount(spec.dst.dims));
}

bool ExpectMatMul(const Kernel<MatMulSpec>& row, int64_t m, int64_t n, int64_t k, int number,
                  Values values) {
  const ::testing::ScopedTrace trace(__FILE__, __LINE__,
                                     "m " + std::to_string(m) + ", n " + std::to_string(n) +
                                         ", k " + std::to_string(k) + ", case " +
                                         std::to_string(number));
  Random random(static_cast<uint32_t>(number));
  const int64_t samples = m % 3 == 0 ? m / 3 : 1;
  const Int8Case c(
      random, number, values,
      {.channels = n, .weights = n * k, .src = m * k, .dst = m * n, .samples = samples});
  MatMulSpec spec{.src_type = c.src_type,
                  .dst_type = c.dst_type,
                  .m = m,
                  .n = n,
                  .k = k,
                  .transpose_rhs = number % 2 == 1,
                  .samples = samples,
                  .sum = {}};
  spec.sum = c.sum;
  return ExpectRowServes(MatMulKernels(), row, spec, c, m * n);
}

template <typename Spec>
std::string NameOf(std::span<const Kernel<Spec>> table, size_t row) {
  return "row" + std::to_string(row) + "_" + std::string(table[row].engine) + "_" +
         std::string(CpuLevelName(table[row].needs));
}

// The rows but the last one, which is the reference.
class Int8ConvolutionTest : public ::testing::TestWithParam<size_t> {
 protected:
  void SetUp() override {
    if (!testing::IsSupported(row())) GTEST_SKIP() << "this CPU lacks what the row needs";
  }
  const Kernel<ConvolutionSpec>& row() const { return ConvolutionKernels()[GetParam()]; }
};

class Int8MatMulTest : public ::testing::TestWithParam<size_t> {
 protected:
  void SetUp() override {
    if (!testing::IsSupported(row())) GTEST_SKIP() << "this CPU lacks what the row needs";
  }
  const Kernel<MatMulSpec>& row() const { return MatMulKernels()[GetParam()]; }
};

const Window kPoint = {{5, 3}, {1, 1}, {1, 1}, {1, 1}, {0, 0}, {0, 0}};
const Window kSame3 = {{6, 5}, {3, 3}, {1, 1}, {1, 1}, {1, 1}, {1, 1}};

std::vector<Window> Windows() {
  return {
      kPoint,
      kSame3,
      {{19}, {4}, {2}, {2}, {3}, {1}},                    // a line
      {{9, 9}, {3, 3}, {2, 2}, {1, 1}, {0, 0}, {1, 1}},   // strided
      {{8, 8}, {5, 5}, {1, 1}, {1, 1}, {2, 2}, {2, 2}},   // 25 taps
      {{9, 10}, {3, 2}, {1, 2}, {2, 3}, {2, 0}, {2, 3}},  // dilated, uneven
      {{2, 2}, {3, 3}, {1, 1}, {1, 1}, {3, 3}, {3, 3}},   // whole windows of padding
      {{4, 3, 5}, {2, 3, 1}, {1, 2, 1}, {1, 1, 1}, {1, 1, 0}, {0, 1, 0}},  // a volume
  };
}

TEST_P(Int8MatMulTest, LengthsAroundThoseOfTiles) {
  int number = 0;
  for (const int64_t m : {1, 2, 3, 4, 5, 11, 33, 67}) {
    for (const int64_t n : {1, 15, 16, 17, 35}) {
      for (const int64_t k : {1, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 35, 64}) {
        ExpectMatMul(row(), m, n, k, number++, Values::kAny);
      }
    }
  }
}

TEST_P(Int8MatMulTest, Extremes) {
  for (int number = 0; number < 16; ++number) {
    ExpectMatMul(row(), 5, 17, 1031, number, Values::kExtremes);
  }
}

// Halves, which a multiplier of 1/2 makes of every odd sum, go to the even neighbour.
TEST_P(Int8MatMulTest, TiesRoundToEven) {
  const std::vector<int8_t> weights(33, 1);
  const std::vector<float> multiplier(33, 0.5f), bias(33, -128.0f);
  std::vector<uint8_t> src(256);
  for (size_t i = 0; i < src.size(); ++i) src[i] = static_cast<uint8_t>(i);
  MatMulSpec spec{.src_type = ElementType::kUint8,
                  .dst_type = ElementType::kInt8,
                  .m = 256,
                  .n = 33,
                  .k = 1,
                  .sum = {}};
  spec.sum.arithmetic = Arithmetic::kStaticInt8;
  spec.sum.weights = weights.data();
  spec.sum.weights_type = ElementType::kInt8;
  spec.sum.multiplier = multiplier;
  spec.sum.bias = bias;
  const PreparedPtr kernel = row().prepare(spec, {.features = row().needs});
  if (kernel == nullptr) GTEST_SKIP() << "the row does not compute in int8";
  const std::vector<int8_t> got = testing::RunKernel<int8_t>(*kernel, {src.data()}, 256 * 33);
  for (int sum = -128; sum < 128; ++sum) {
    const int half = sum / 2;  // towards zero; of an odd sum one of the two neighbours
    const int want = sum % 2 == 0 || half % 2 == 0 ? half : half + (sum < 0 ? -1 : 1);
    for (int column = 0; column < 33; ++column) {
      ASSERT_EQ(got[static_cast<size_t>((sum + 128) * 33 + column)], want) << sum << " / 2";
    }
  }
}

TEST_P(Int8ConvolutionTest, LengthsAroundThoseOfTiles) {
  int number = 0;
  for (const Window& window : {kPoint, kSame3}) {
    for (const int64_t channels : {1, 3, 4, 7, 8, 15, 16, 17, 24, 35}) {
      for (const int64_t outputs : {1, 8, 15, 16, 17, 35}) {
        ExpectConvolution(row(), {2, channels, outputs, 1, window}, number++, Values::kAny);
      }
    }
  }
}

TEST_P(Int8ConvolutionTest, Windows) {
  int number = 0;
  for (const Window& window : Windows()) {
    for (int i = 0; i < 8; ++i) {
      ExpectConvolution(row(), {2, 18, 20, i % 2 + 1, window}, number++, Values::kAny);
      ExpectConvolution(row(), {1, 3, 9, 1, window}, number++, Values::kAny);
    }
  }
}

TEST_P(Int8ConvolutionTest, Groups) {
  int number = 0;
  for (const int64_t groups : {2, 3, 8}) {
    for (const int64_t in : {1, 2, 5, 16}) {
      for (const int64_t out : {1, 3, 17}) {
        ExpectConvolution(row(), {1, groups * in, groups * out, groups, kSame3}, number++,
                          Values::kAny);
      }
    }
  }
}

TEST_P(Int8ConvolutionTest, Depthwise) {
  int number = 0;
  for (const Window& window : Windows()) {
    for (const int64_t channels : {2, 7, 8, 15, 16, 17, 35, 64, 67, 131}) {
      ExpectConvolution(row(), {2, channels, channels, channels, window}, number++, Values::kAny);
    }
  }
}

TEST_P(Int8ConvolutionTest, Extremes) {
  for (int number = 0; number < 16; ++number) {
    ExpectConvolution(row(), {1, 67, 5, 1, kSame3}, number, Values::kExtremes);
    ExpectConvolution(row(), {1, 3, 5, 1, kSame3}, number, Values::kExtremes);
    ExpectConvolution(row(), {1, 19, 19, 19, kSame3}, number, Values::kExtremes);
  }
}

INSTANTIATE_TEST_SUITE_P(Rows, Int8ConvolutionTest,
                         ::testing::Range(size_t{0}, ConvolutionKernels().size() - 1),
                         [](const auto& info) { return NameOf(ConvolutionKernels(), info.param); });
INSTANTIATE_TEST_SUITE_P(Rows, Int8MatMulTest,
                         ::testing::Range(size_t{0}, MatMulKernels().size() - 1),
                         [](const auto& info) { return NameOf(MatMulKernels(), info.param); });
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(Int8ConvolutionTest);
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(Int8MatMulTest);

}  // namespace
}  // namespace fourfold::kernels
