// What is oneDNN's alone: which implementation serves, sharing of packed weights, threads, and
// exact integers on a CPU without dot products. Results are compared with plain loops written here.
#include "kernels/onednn/onednn.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <random>
#include <sstream>
#include <thread>
#include <vector>

namespace fourfold::kernels {
namespace {

// Runs the shares on real threads, last one first.
class ThreadEach final : public Parallel {
 public:
  explicit ThreadEach(int threads) : threads_(threads) {}
  int threads() const override { return threads_; }
  void For(int count, const std::function<void(int)>& task) override {
    std::vector<std::thread> workers;
    for (int i = count - 1; i > 0; --i) workers.emplace_back(task, i);
    task(0);
    for (std::thread& worker : workers) worker.join();
  }

 private:
  int threads_;
};

PrepareContext Context(int threads = 1, PackedWeights* packed = nullptr) {
  return {.features = DetectCpuFeatures(), .threads = threads, .packed = packed};
}

void Execute(const PreparedKernel& kernel, std::vector<const void*> inputs, void* output,
             Parallel& parallel) {
  const std::shared_ptr<void> scratch = AllocateAligned(kernel.scratch_bytes());
  void* const outputs[] = {output};
  kernel.Run(
      {.inputs = inputs, .outputs = outputs, .scratch = scratch.get(), .parallel = &parallel});
}

void Execute(const PreparedKernel& kernel, std::vector<const void*> inputs, void* output) {
  Sequential sequential;
  Execute(kernel, std::move(inputs), output, sequential);
}

template <typename T>
std::vector<T> Random(int64_t count, int low, int high, uint32_t seed) {
  std::mt19937 generator(seed);
  std::uniform_int_distribution<int> distribution(low, high);
  std::vector<T> values(count);
  for (T& value : values) value = static_cast<T>(distribution(generator));
  return values;
}

std::vector<float> RandomFloats(int64_t count, float low, float high, uint32_t seed) {
  std::mt19937 generator(seed);
  std::uniform_real_distribution<float> distribution(low, high);
  std::vector<float> values(count);
  for (float& value : values) value = distribution(generator);
  return values;
}

// A two-dimensional convolution, channels last.
struct Shape {
  int64_t batch, channels, height, width, outputs, kernel, stride, pad, groups;
  int64_t dilation = 1;

  int64_t Out(int64_t in) const {
    return (in + 2 * pad - dilation * (kernel - 1) - 1) / stride + 1;
  }
  friend void PrintTo(const Shape& s, std::ostream* out) {
    *out << "n" << s.batch << "c" << s.channels << "x" << s.height << "x" << s.width << "_o"
         << s.outputs << "k" << s.kernel << "s" << s.stride << "p" << s.pad << "g" << s.groups
         << "d" << s.dilation;
  }
};

ConvolutionSpec MakeSpec(const Shape& s, ElementType src, ElementType dst) {
  ConvolutionSpec spec;
  spec.src = {src, {s.batch, s.channels, s.height, s.width}, Layout::kChannelsLast};
  spec.dst = {dst, {s.batch, s.outputs, s.Out(s.height), s.Out(s.width)}, Layout::kChannelsLast};
  spec.weights = {s.outputs, s.channels / s.groups, s.kernel, s.kernel};
  spec.groups = s.groups;
  spec.strides = {s.stride, s.stride};
  spec.dilations = {s.dilation, s.dilation};
  spec.pads_begin = spec.pads_end = {s.pad, s.pad};
  return spec;
}

// Sums of (src - zero point) * weights in the order of dst.
template <typename Sum, typename Source, typename Weight>
std::vector<Sum> Sums(const Shape& s, const std::vector<Source>& src, int zero_point,
                      const std::vector<Weight>& weights) {
  const int64_t oh = s.Out(s.height), ow = s.Out(s.width);
  const int64_t per_group = s.channels / s.groups, outputs_per_group = s.outputs / s.groups;
  std::vector<Sum> sums;
  for (int64_t n = 0; n < s.batch; ++n)
    for (int64_t y = 0; y < oh; ++y)
      for (int64_t x = 0; x < ow; ++x)
        for (int64_t o = 0; o < s.outputs; ++o) {
          Sum sum = 0;
          for (int64_t c = 0; c < per_group; ++c)
            for (int64_t i = 0; i < s.kernel; ++i)
              for (int64_t j = 0; j < s.kernel; ++j) {
                const int64_t row = y * s.stride - s.pad + i * s.dilation;
                const int64_t column = x * s.stride - s.pad + j * s.dilation;
                if (row < 0 || row >= s.height || column < 0 || column >= s.width) continue;
                const int64_t channel = o / outputs_per_group * per_group + c;
                const Source value =
                    src[((n * s.height + row) * s.width + column) * s.channels + channel];
                const Weight weight = weights[((o * per_group + c) * s.kernel + i) * s.kernel + j];
                sum += (static_cast<Sum>(value) - static_cast<Sum>(zero_point)) *
                       static_cast<Sum>(weight);
              }
          sums.push_back(sum);
        }
  return sums;
}

template <typename T>
T Store(float value, int zero_point) {
  if constexpr (std::is_same_v<T, float>) return value;
  return RoundAndSaturate<T>(value, zero_point);
}

template <typename T>
constexpr ElementType kTypeOf = std::is_same_v<T, float>    ? ElementType::kFloat32
                                : std::is_same_v<T, int8_t> ? ElementType::kInt8
                                                            : ElementType::kUint8;

struct StaticCase {
  int32_t src_zero_point = 0;
  int32_t dst_zero_point = 0;
  Activation activation{};
  bool residual = false;
  bool alias = false;
  int weight_limit = 127;  // largest absolute weight
};

// Runs one statically quantized convolution and compares bytes. Returns the implementation's name,
// empty where no kernel is offered.
template <typename Source, typename Result>
std::string CheckStatic(const Shape& s, const StaticCase& c, int threads = 1) {
  ConvolutionSpec spec = MakeSpec(s, kTypeOf<Source>, kTypeOf<Result>);
  const int src_low = std::is_signed_v<Source> ? -128 : 0;
  const auto src = Random<Source>(ElementCount(spec.src.dims), src_low, src_low + 255, 1);
  const auto weights =
      Random<int8_t>(ElementCount(spec.weights), -c.weight_limit, c.weight_limit, 2);
  const int64_t length = ElementCount(spec.weights) / s.outputs;
  // Halves and quarters make ties in the rounding likely.
  std::vector<float> bias(s.outputs), multiplier(s.outputs);
  for (int64_t o = 0; o < s.outputs; ++o) {
    bias[o] = static_cast<float>((o * 37) % 2001 - 1000);
    multiplier[o] = o % 3 == 0
                        ? std::exp2(-std::ceil(std::log2(100.0f * static_cast<float>(length))))
                        : 0.9f / (80.0f * static_cast<float>(length) + static_cast<float>(o));
    if (std::is_same_v<Result, float>) multiplier[o] *= 0.01f;
  }
  spec.sum.arithmetic = Arithmetic::kStaticInt8;
  spec.sum.weights = weights.data();
  spec.sum.weights_type = ElementType::kInt8;
  spec.sum.bias = bias;
  spec.sum.multiplier = multiplier;
  spec.sum.src_zero_point = c.src_zero_point;
  spec.sum.dst_zero_point = c.dst_zero_point;
  spec.sum.activation = c.activation;
  spec.sum.residual = c.residual;
  const PreparedPtr kernel = onednn::PrepareConvolution(spec, Context(threads));
  if (kernel == nullptr) return {};

  const std::vector<int32_t> sums = Sums<int32_t>(s, src, c.src_zero_point, weights);
  const auto residual = RandomFloats(static_cast<int64_t>(sums.size()), -2.0f, 2.0f, 3);
  std::vector<Result> wanted(sums.size());
  for (size_t i = 0; i < sums.size(); ++i) {
    const size_t o = i % s.outputs;
    float value = (static_cast<float>(sums[i]) + bias[o]) * multiplier[o];
    if (c.residual) value += residual[i];
    wanted[i] = Store<Result>(Activate(c.activation, value), c.dst_zero_point);
  }
  std::vector<Result> got(sums.size(), Result{77});
  std::vector<const void*> inputs = {src.data()};
  if (c.residual) {
    if constexpr (std::is_same_v<Result, float>) {
      if (c.alias) got = residual;
    }
    inputs.push_back(c.alias ? static_cast<const void*>(got.data()) : residual.data());
  }
  ThreadEach parallel(threads);
  Execute(*kernel, inputs, got.data(), parallel);
  size_t different = 0;
  for (size_t i = 0; i < got.size(); ++i) {
    if (std::memcmp(&got[i], &wanted[i], sizeof(Result)) == 0) continue;
    if (got[i] == wanted[i]) continue;  // the sign of zero
    if (++different < 4) {
      ADD_FAILURE() << kernel->implementation() << " element " << i << ": got " << +got[i]
                    << ", wanted " << +wanted[i];
    }
  }
  EXPECT_EQ(different, 0u) << kernel->implementation() << " of " << got.size();
  return std::string(kernel->implementation());
}

const Shape kFirst{1, 3, 33, 35, 16, 3, 2, 1, 1};
const Shape kPointwise{2, 64, 14, 14, 96, 1, 1, 0, 1};
const Shape kThree{2, 32, 15, 13, 48, 3, 1, 1, 1};
const Shape kDepthwise{2, 40, 14, 15, 40, 3, 1, 1, 40};
const Shape kDepthwiseStride{1, 96, 15, 15, 96, 3, 2, 1, 96};
const Shape kDepthwiseLarge{1, 64, 14, 14, 64, 5, 1, 2, 64};
const Shape kOdd{1, 7, 9, 9, 5, 3, 1, 1, 1};
const Shape kLong{1, 512, 7, 7, 33, 3, 1, 1, 1};
const Shape kDilated{1, 32, 17, 17, 32, 3, 1, 2, 1, 2};
const Shape kStridedPointwise{1, 64, 15, 15, 128, 1, 2, 0, 1};

class Convolutions : public testing::TestWithParam<Shape> {};

INSTANTIATE_TEST_SUITE_P(Shapes, Convolutions,
                         testing::Values(kFirst, kPointwise, kThree, kDepthwise, kDepthwiseStride,
                                         kDepthwiseLarge, kOdd, kLong, kDilated, kStridedPointwise),
                         testing::PrintToStringParamName());

bool ExactHere() { return onednn::HasExactIntegerProducts(); }

// Depthwise kernels add no pairs at 16 bits: they are exact with any weights on any CPU.
int WeightLimit(const Shape& s) { return ExactHere() || s.groups == s.channels ? 127 : 64; }

TEST_P(Convolutions, StaticInt8IsByteExact) {
  const Activation relu{Activation::Kind::kRelu};
  const Activation clip{Activation::Kind::kClip, 0.0f, 95.5f};
  const Activation leaky{Activation::Kind::kLeakyRelu, 0.1f};
  const int limit = WeightLimit(GetParam());
  EXPECT_NE(
      (CheckStatic<uint8_t, uint8_t>(GetParam(), {.activation = relu, .weight_limit = limit})), "");
  EXPECT_NE((CheckStatic<uint8_t, uint8_t>(
                GetParam(), {.src_zero_point = 131, .dst_zero_point = 117, .weight_limit = limit})),
            "");
  EXPECT_NE(
      (CheckStatic<uint8_t, uint8_t>(
          GetParam(),
          {.src_zero_point = 3, .dst_zero_point = 20, .activation = clip, .weight_limit = limit})),
      "");
  EXPECT_NE(
      (CheckStatic<uint8_t, int8_t>(
          GetParam(),
          {.src_zero_point = 255, .dst_zero_point = -1, .activation = leaky, .weight_limit = limit},
          2)),
      "");
  EXPECT_NE((CheckStatic<uint8_t, float>(
                GetParam(), {.src_zero_point = 9, .activation = relu, .weight_limit = limit})),
            "");
}

TEST_P(Convolutions, StaticInt8WithResidualIsByteExactAlsoInPlace) {
  const Activation relu{Activation::Kind::kRelu};
  const int limit = WeightLimit(GetParam());
  for (const bool alias : {false, true}) {
    EXPECT_NE((CheckStatic<uint8_t, float>(GetParam(), {.src_zero_point = 128,
                                                        .activation = relu,
                                                        .residual = true,
                                                        .alias = alias,
                                                        .weight_limit = limit})),
              "");
  }
}

TEST_P(Convolutions, SignedSourcesAreByteExact) {
  if (!ExactHere()) {
    EXPECT_EQ((CheckStatic<int8_t, int8_t>(GetParam(), {})), "");
    return;
  }
  EXPECT_NE((CheckStatic<int8_t, int8_t>(GetParam(), {})), "");
  EXPECT_NE((CheckStatic<int8_t, uint8_t>(GetParam(), {.src_zero_point = -7, .dst_zero_point = 5})),
            "");
}

TEST_P(Convolutions, DynamicInt8DoesNotDependOnBatchMates) {
  Shape s = GetParam();
  s.batch = 3;
  ConvolutionSpec spec = MakeSpec(s, ElementType::kUint8, ElementType::kFloat32);
  const int limit = WeightLimit(s);
  const auto src = Random<uint8_t>(ElementCount(spec.src.dims), 0, 255, 4);
  const auto weights = Random<int8_t>(ElementCount(spec.weights), -limit, limit, 5);
  const auto bias = RandomFloats(s.outputs, -1.0f, 1.0f, 6);
  const auto multiplier = RandomFloats(s.outputs, 0.001f, 0.002f, 7);
  const std::vector<QuantParams> params = {{0.01f, 0}, {0.02f, 255}, {0.5f, 100}};
  spec.sum.arithmetic = Arithmetic::kDynamicInt8;
  spec.sum.weights = weights.data();
  spec.sum.weights_type = ElementType::kInt8;
  spec.sum.bias = bias;
  spec.sum.multiplier = multiplier;
  spec.sum.residual = true;
  spec.sum.activation = {Activation::Kind::kRelu};
  const PreparedPtr kernel = onednn::PrepareConvolution(spec, Context());
  ASSERT_NE(kernel, nullptr);

  const int64_t per_sample = ElementCount(spec.dst.dims) / s.batch;
  const auto residual = RandomFloats(per_sample * s.batch, -2.0f, 2.0f, 8);
  std::vector<float> got(residual.size());
  Execute(*kernel, {src.data(), params.data(), residual.data()}, got.data());

  Shape one = s;
  one.batch = 1;
  ConvolutionSpec alone = spec;
  alone.src.dims[0] = alone.dst.dims[0] = 1;
  const PreparedPtr single = onednn::PrepareConvolution(alone, Context());
  ASSERT_NE(single, nullptr);
  const int64_t src_per_sample = ElementCount(spec.src.dims) / s.batch;
  for (int64_t n = 0; n < s.batch; ++n) {
    const std::vector<uint8_t> image(src.begin() + n * src_per_sample,
                                     src.begin() + (n + 1) * src_per_sample);
    std::vector<float> by_itself(residual.begin() + n * per_sample,
                                 residual.begin() + (n + 1) * per_sample);
    Execute(*single, {image.data(), &params[n], by_itself.data()}, by_itself.data());  // in place
    EXPECT_EQ(std::memcmp(by_itself.data(), &got[n * per_sample], per_sample * sizeof(float)), 0);
    const auto sums = Sums<int32_t>(one, image, params[n].zero_point, weights);
    for (int64_t i = 0; i < per_sample; ++i) {
      const int64_t o = i % s.outputs;
      const double exact = sums[i] * (double{params[n].scale} * double{multiplier[o]});
      const double value = exact + bias[o] + residual[n * per_sample + i];
      ASSERT_NEAR(got[n * per_sample + i], std::max(value, 0.0), 1e-6 * (std::abs(exact) + 4))
          << kernel->implementation();
    }
  }
}

TEST_P(Convolutions, FloatAddsBiasAndResidualInPlaceOrNot) {
  const Shape s = GetParam();
  for (const Layout layout : {Layout::kChannelsLast, Layout::kRowMajor}) {
    ConvolutionSpec spec = MakeSpec(s, ElementType::kFloat32, ElementType::kFloat32);
    // The oracle is channels-last; row-major is tried where both are the same memory.
    if (layout == Layout::kRowMajor) {
      if (s.batch != 1 || s.height != 1) continue;
    }
    spec.src.layout = spec.dst.layout = layout;
    const auto src = RandomFloats(ElementCount(spec.src.dims), -1.0f, 1.0f, 9);
    const auto weights = RandomFloats(ElementCount(spec.weights), -1.0f, 1.0f, 10);
    const auto bias = RandomFloats(s.outputs, -1.0f, 1.0f, 11);
    spec.sum.weights = weights.data();
    spec.sum.bias = bias;
    spec.sum.residual = true;
    spec.sum.activation = {Activation::Kind::kClip, 0.0f, 6.0f};
    const PreparedPtr kernel = onednn::PrepareConvolution(spec, Context(2));
    ASSERT_NE(kernel, nullptr);
    const auto sums = Sums<double>(s, src, 0, weights);
    const auto residual = RandomFloats(static_cast<int64_t>(sums.size()), -2.0f, 2.0f, 12);
    ThreadEach parallel(2);
    std::vector<float> apart(residual.size(), 99.0f);
    Execute(*kernel, {src.data(), residual.data()}, apart.data(), parallel);
    std::vector<float> in_place = residual;
    Execute(*kernel, {src.data(), in_place.data()}, in_place.data(), parallel);
    EXPECT_EQ(apart, in_place);
    const double bound =
        1.2e-7 * static_cast<double>(ElementCount(spec.weights)) / static_cast<double>(s.outputs) +
        1e-5;
    for (size_t i = 0; i < sums.size(); ++i) {
      const double value = sums[i] + bias[i % s.outputs] + residual[i];
      ASSERT_NEAR(apart[i], std::clamp(value, 0.0, 6.0), bound) << kernel->implementation();
    }
  }
}

TEST(OnednnConvolution, ExtremeSumsAreByteExact) {
  if (!ExactHere()) GTEST_SKIP() << "weights of 127 are refused here";
  const Shape s{1, 512, 5, 5, 17, 3, 1, 1, 1};
  ConvolutionSpec spec = MakeSpec(s, ElementType::kUint8, ElementType::kFloat32);
  const std::vector<uint8_t> src(ElementCount(spec.src.dims), 255);
  const std::vector<int8_t> weights(ElementCount(spec.weights), 127);
  const std::vector<float> multiplier(s.outputs, 1.0f);
  spec.sum.arithmetic = Arithmetic::kStaticInt8;
  spec.sum.weights = weights.data();
  spec.sum.weights_type = ElementType::kInt8;
  spec.sum.multiplier = multiplier;
  spec.sum.src_zero_point = 1;
  const PreparedPtr kernel = onednn::PrepareConvolution(spec, Context());
  ASSERT_NE(kernel, nullptr);
  std::vector<float> got(ElementCount(spec.dst.dims));
  Execute(*kernel, {src.data()}, got.data());
  const auto sums = Sums<int32_t>(s, src, 1, weights);
  for (size_t i = 0; i < sums.size(); ++i) {
    ASSERT_EQ(got[i], static_cast<float>(sums[i])) << kernel->implementation();  // above 2^24
  }
}

TEST(OnednnConvolution, TypicalLayersGetGeneratedCode) {
  if (!ExactHere()) GTEST_SKIP();
  for (const Shape& s : {kFirst, kPointwise, kThree, kDepthwise, kDepthwiseStride}) {
    const std::string name = CheckStatic<uint8_t, uint8_t>(
        s, {.src_zero_point = 5, .dst_zero_point = 6, .activation = {Activation::Kind::kRelu}});
    EXPECT_TRUE(name.starts_with("onednn/br") || name.starts_with("onednn/jit")) << name;
  }
}

TEST(OnednnConvolution, HalfWeightsAreExpanded) {
  ConvolutionSpec spec = MakeSpec(kThree, ElementType::kFloat32, ElementType::kFloat32);
  const auto src = RandomFloats(ElementCount(spec.src.dims), -1.0f, 1.0f, 13);
  auto weights = RandomFloats(ElementCount(spec.weights), -1.0f, 1.0f, 14);
  std::vector<uint16_t> halves;
  for (float& weight : weights) {
    halves.push_back(FloatToHalf(weight));
    weight = HalfToFloat(halves.back());
  }
  spec.sum.weights = weights.data();
  const PreparedPtr expanded = onednn::PrepareConvolution(spec, Context());
  spec.sum.weights = halves.data();
  spec.sum.weights_type = ElementType::kFloat16;
  const PreparedPtr half = onednn::PrepareConvolution(spec, Context());
  ASSERT_NE(expanded, nullptr);
  ASSERT_NE(half, nullptr);
  std::vector<float> wanted(ElementCount(spec.dst.dims)), got(wanted.size());
  Execute(*expanded, {src.data()}, wanted.data());
  Execute(*half, {src.data()}, got.data());
  EXPECT_EQ(got, wanted);
}

TEST(OnednnConvolution, BatchSizesShareOnePackedCopy) {
  PackedWeights packed;
  const auto weights = RandomFloats(96 * 64, -1.0f, 1.0f, 15);
  size_t after_first = 0;
  std::vector<PreparedPtr> kernels;
  for (const int64_t batch : {1, 2, 8, 32}) {
    Shape s = kPointwise;
    s.batch = batch;
    ConvolutionSpec spec = MakeSpec(s, ElementType::kFloat32, ElementType::kFloat32);
    spec.sum.weights = weights.data();
    spec.sum.weights_id = 7;
    kernels.push_back(onednn::PrepareConvolution(spec, Context(2, &packed)));
    ASSERT_NE(kernels.back(), nullptr);
    if (batch == 1) after_first = packed.bytes();
  }
  EXPECT_GE(after_first, weights.size() * sizeof(float));
  EXPECT_EQ(packed.bytes(), after_first);
}

TEST(OnednnConvolution, OtherConstantsAreNotShared) {
  PackedWeights packed;
  const auto weights = RandomFloats(96 * 64, -1.0f, 1.0f, 16);
  ConvolutionSpec spec = MakeSpec(kPointwise, ElementType::kFloat32, ElementType::kFloat32);
  spec.sum.weights = weights.data();
  spec.sum.weights_id = 1;
  const PreparedPtr first = onednn::PrepareConvolution(spec, Context(1, &packed));
  const size_t one = packed.bytes();
  spec.sum.weights_id = 2;
  const PreparedPtr second = onednn::PrepareConvolution(spec, Context(1, &packed));
  EXPECT_EQ(packed.bytes(), 2 * one);
}

TEST(OnednnConvolution, OneKernelRunsOnManyThreadsAtOnce) {
  ConvolutionSpec spec = MakeSpec(kThree, ElementType::kFloat32, ElementType::kFloat32);
  const auto weights = RandomFloats(ElementCount(spec.weights), -1.0f, 1.0f, 17);
  spec.sum.weights = weights.data();
  const PreparedPtr kernel = onednn::PrepareConvolution(spec, Context(2));
  ASSERT_NE(kernel, nullptr);
  constexpr int kCallers = 12;  // more than there are idle argument sets
  std::vector<std::vector<float>> sources, wanted;
  for (int i = 0; i < kCallers; ++i) {
    sources.push_back(RandomFloats(ElementCount(spec.src.dims), -1.0f, 1.0f, 100 + i));
    wanted.emplace_back(ElementCount(spec.dst.dims));
    Execute(*kernel, {sources[i].data()}, wanted[i].data());
  }
  std::vector<int> wrong(kCallers, 0);
  std::vector<std::thread> callers;
  for (int i = 0; i < kCallers; ++i) {
    callers.emplace_back([&, i] {
      ThreadEach parallel(2);
      std::vector<float> got(wanted[i].size());
      for (int repeat = 0; repeat < 50; ++repeat) {
        std::fill(got.begin(), got.end(), 0.0f);
        Execute(*kernel, {sources[i].data()}, got.data(), parallel);
        wrong[i] += got != wanted[i];
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(wrong, std::vector<int>(kCallers, 0));
}

TEST(OnednnConvolution, WithoutDotProductsWeightsThatCouldSaturateAreRefused) {
  PrepareContext context = Context();
  context.features &= ~(kAvx512Vnni | kAvxVnni | kAmx);
  ConvolutionSpec spec = MakeSpec(kThree, ElementType::kUint8, ElementType::kUint8);
  std::vector<int8_t> weights(ElementCount(spec.weights), 64);
  const std::vector<float> multiplier(spec.weights[0], 0.001f);
  spec.sum.arithmetic = Arithmetic::kStaticInt8;
  spec.sum.weights = weights.data();
  spec.sum.weights_type = ElementType::kInt8;
  spec.sum.multiplier = multiplier;
  EXPECT_NE(onednn::PrepareConvolution(spec, context), nullptr);  // 255 * (64 + 64) fits
  weights[40] = 65;
  EXPECT_EQ(onednn::PrepareConvolution(spec, context), nullptr);
  weights[40] = -127;
  weights[40 + 9] = -2;  // the next channel at the same position, the same group of four
  EXPECT_EQ(onednn::PrepareConvolution(spec, context), nullptr);
}

struct MatMulShape {
  int64_t lhs_batch, rhs_batch, m, n, k;
  bool transpose_lhs, transpose_rhs;
  friend void PrintTo(const MatMulShape& s, std::ostream* out) {
    *out << "b" << s.lhs_batch << "x" << s.rhs_batch << "_m" << s.m << "n" << s.n << "k" << s.k
         << (s.transpose_lhs ? "_tl" : "") << (s.transpose_rhs ? "_tr" : "");
  }
};

MatMulSpec MakeSpec(const MatMulShape& s, ElementType src, ElementType dst) {
  MatMulSpec spec;
  spec.src_type = src;
  spec.dst_type = dst;
  spec.lhs_batch = s.lhs_batch;
  spec.rhs_batch = s.rhs_batch;
  spec.m = s.m;
  spec.n = s.n;
  spec.k = s.k;
  spec.transpose_lhs = s.transpose_lhs;
  spec.transpose_rhs = s.transpose_rhs;
  return spec;
}

template <typename Sum, typename Lhs, typename Rhs>
std::vector<Sum> Products(const MatMulShape& s, const std::vector<Lhs>& lhs,
                          const std::vector<Rhs>& rhs, int zero_point) {
  std::vector<Sum> result;
  for (int64_t b = 0; b < std::max(s.lhs_batch, s.rhs_batch); ++b)
    for (int64_t m = 0; m < s.m; ++m)
      for (int64_t n = 0; n < s.n; ++n) {
        Sum sum = 0;
        const Lhs* left = lhs.data() + (s.lhs_batch == 1 ? 0 : b * s.m * s.k);
        const Rhs* right = rhs.data() + (s.rhs_batch == 1 ? 0 : b * s.k * s.n);
        for (int64_t k = 0; k < s.k; ++k) {
          sum += (static_cast<Sum>(left[s.transpose_lhs ? k * s.m + m : m * s.k + k]) -
                  static_cast<Sum>(zero_point)) *
                 static_cast<Sum>(right[s.transpose_rhs ? n * s.k + k : k * s.n + n]);
        }
        result.push_back(sum);
      }
  return result;
}

class MatMuls : public testing::TestWithParam<MatMulShape> {};

INSTANTIATE_TEST_SUITE_P(Shapes, MatMuls,
                         testing::Values(MatMulShape{1, 1, 1, 1000, 1280, false, true},
                                         MatMulShape{1, 1, 5, 33, 17, false, false},
                                         MatMulShape{4, 1, 16, 64, 32, false, false},
                                         MatMulShape{1, 1, 16, 24, 40, true, false},
                                         MatMulShape{3, 1, 16, 24, 40, true, true}),
                         testing::PrintToStringParamName());

TEST_P(MatMuls, StaticInt8IsByteExact) {
  const MatMulShape& s = GetParam();
  MatMulSpec spec = MakeSpec(s, ElementType::kUint8, ElementType::kUint8);
  const int limit = ExactHere() ? 127 : 64;
  const auto lhs = Random<uint8_t>(s.lhs_batch * s.m * s.k, 0, 255, 20);
  const auto rhs = Random<int8_t>(s.k * s.n, -limit, limit, 21);
  std::vector<float> bias(s.n), multiplier(s.n);
  for (int64_t n = 0; n < s.n; ++n) {
    bias[n] = static_cast<float>(n % 301 - 150);
    multiplier[n] = n % 2 == 0 ? std::exp2(-std::ceil(std::log2(50.0f * static_cast<float>(s.k))))
                               : 0.7f / (100.0f * static_cast<float>(s.k));
  }
  spec.sum.arithmetic = Arithmetic::kStaticInt8;
  spec.sum.weights = rhs.data();
  spec.sum.weights_type = ElementType::kInt8;
  spec.sum.bias = bias;
  spec.sum.multiplier = multiplier;
  for (const int zero_point : {0, 127}) {
    spec.sum.src_zero_point = spec.sum.dst_zero_point = zero_point;
    const PreparedPtr kernel = onednn::PrepareMatMul(spec, Context(2));
    ASSERT_NE(kernel, nullptr);
    const auto sums = Products<int32_t>(s, lhs, rhs, zero_point);
    std::vector<uint8_t> got(sums.size(), 77), wanted;
    for (size_t i = 0; i < sums.size(); ++i) {
      const size_t n = i % s.n;
      wanted.push_back(RoundAndSaturate<uint8_t>(
          (static_cast<float>(sums[i]) + bias[n]) * multiplier[n], zero_point));
    }
    ThreadEach parallel(2);
    Execute(*kernel, {lhs.data()}, got.data(), parallel);
    EXPECT_EQ(got, wanted) << kernel->implementation();
  }
}

TEST_P(MatMuls, StaticInt8ToFloatAddsTheResidualAlsoInPlace) {
  const MatMulShape& s = GetParam();
  MatMulSpec spec = MakeSpec(s, ElementType::kUint8, ElementType::kFloat32);
  const int limit = ExactHere() ? 127 : 64;
  const auto lhs = Random<uint8_t>(s.lhs_batch * s.m * s.k, 0, 255, 22);
  const auto rhs = Random<int8_t>(s.k * s.n, -limit, limit, 23);
  const auto multiplier = RandomFloats(s.n, 0.001f, 0.002f, 24);
  spec.sum.arithmetic = Arithmetic::kStaticInt8;
  spec.sum.weights = rhs.data();
  spec.sum.weights_type = ElementType::kInt8;
  spec.sum.multiplier = multiplier;
  spec.sum.src_zero_point = 11;
  spec.sum.residual = true;
  const PreparedPtr kernel = onednn::PrepareMatMul(spec, Context());
  ASSERT_NE(kernel, nullptr);
  const auto sums = Products<int32_t>(s, lhs, rhs, 11);
  const auto residual = RandomFloats(static_cast<int64_t>(sums.size()), -2.0f, 2.0f, 25);
  std::vector<float> wanted, apart(sums.size()), in_place = residual;
  for (size_t i = 0; i < sums.size(); ++i) {
    wanted.push_back(static_cast<float>(sums[i]) * multiplier[i % s.n] + residual[i]);
  }
  Execute(*kernel, {lhs.data(), residual.data()}, apart.data());
  Execute(*kernel, {lhs.data(), in_place.data()}, in_place.data());
  EXPECT_EQ(apart, wanted) << kernel->implementation();
  EXPECT_EQ(in_place, wanted) << kernel->implementation();
}

TEST_P(MatMuls, DynamicInt8DoesNotDependOnBatchMates) {
  const MatMulShape& s = GetParam();
  MatMulSpec spec = MakeSpec(s, ElementType::kUint8, ElementType::kFloat32);
  const int limit = ExactHere() ? 127 : 64;
  const int64_t rows = s.lhs_batch * s.m;
  const auto lhs = Random<uint8_t>(rows * s.k, 0, 255, 26);
  const auto rhs = Random<int8_t>(s.k * s.n, -limit, limit, 27);
  const auto bias = RandomFloats(s.n, -1.0f, 1.0f, 28);
  const auto multiplier = RandomFloats(s.n, 0.001f, 0.002f, 29);
  spec.samples = s.transpose_lhs && s.lhs_batch == 1 ? 1 : rows;
  if (s.transpose_lhs) spec.samples = s.lhs_batch;
  std::vector<QuantParams> params;
  for (int64_t i = 0; i < spec.samples; ++i) {
    params.push_back({0.01f * static_cast<float>(i + 1), static_cast<int32_t>(i * 50 % 256)});
  }
  spec.sum.arithmetic = Arithmetic::kDynamicInt8;
  spec.sum.weights = rhs.data();
  spec.sum.weights_type = ElementType::kInt8;
  spec.sum.bias = bias;
  spec.sum.multiplier = multiplier;
  const PreparedPtr kernel = onednn::PrepareMatMul(spec, Context());
  ASSERT_NE(kernel, nullptr);
  std::vector<float> got(rows * s.n);
  Execute(*kernel, {lhs.data(), params.data()}, got.data());

  const int64_t rows_per_sample = rows / spec.samples;
  for (int64_t sample = 0; sample < spec.samples; ++sample) {
    MatMulShape one = s;
    one.lhs_batch = 1;
    one.m = rows_per_sample;
    MatMulSpec alone = spec;
    alone.lhs_batch = 1;
    alone.m = rows_per_sample;
    alone.samples = 1;
    const PreparedPtr single = onednn::PrepareMatMul(alone, Context());
    ASSERT_NE(single, nullptr);
    const int64_t begin = sample * rows_per_sample;
    const std::vector<uint8_t> part(lhs.begin() + begin * s.k,
                                    lhs.begin() + (begin + rows_per_sample) * s.k);
    std::vector<float> by_itself(rows_per_sample * s.n);
    Execute(*single, {part.data(), &params[sample]}, by_itself.data());
    EXPECT_EQ(std::memcmp(by_itself.data(), &got[begin * s.n], by_itself.size() * sizeof(float)),
              0);
    const auto sums = Products<int32_t>(one, part, rhs, params[sample].zero_point);
    for (size_t i = 0; i < sums.size(); ++i) {
      const size_t n = i % s.n;
      const double exact = sums[i] * (double{params[sample].scale} * double{multiplier[n]});
      ASSERT_NEAR(by_itself[i], exact + bias[n], 1e-6 * (std::abs(exact) + 2));
    }
  }
}

class FloatMatMuls : public testing::TestWithParam<MatMulShape> {};

INSTANTIATE_TEST_SUITE_P(Shapes, FloatMatMuls,
                         testing::Values(MatMulShape{1, 1, 1, 1000, 1280, false, true},
                                         MatMulShape{4, 1, 16, 64, 32, false, false},
                                         MatMulShape{4, 4, 16, 24, 32, false, true},
                                         MatMulShape{1, 3, 7, 5, 9, false, false},
                                         MatMulShape{3, 1, 16, 24, 40, true, true},
                                         MatMulShape{3, 3, 16, 24, 40, true, false}),
                         testing::PrintToStringParamName());

TEST_P(FloatMatMuls, ConstantAndGivenRightSidesAgreeWithTheOracle) {
  const MatMulShape& s = GetParam();
  const auto lhs = RandomFloats(s.lhs_batch * s.m * s.k, -1.0f, 1.0f, 30);
  const auto rhs = RandomFloats(s.rhs_batch * s.k * s.n, -1.0f, 1.0f, 31);
  const auto bias = RandomFloats(s.n, -1.0f, 1.0f, 32);
  const auto sums = Products<double>(s, lhs, rhs, 0);
  const auto residual = RandomFloats(static_cast<int64_t>(sums.size()), -2.0f, 2.0f, 33);
  for (const bool constant : {false, true}) {
    if (constant && s.rhs_batch != 1) continue;
    MatMulSpec spec = MakeSpec(s, ElementType::kFloat32, ElementType::kFloat32);
    if (constant) spec.sum.weights = rhs.data();
    spec.sum.bias = bias;
    spec.sum.residual = true;
    const PreparedPtr kernel = onednn::PrepareMatMul(spec, Context(2));
    ASSERT_NE(kernel, nullptr);
    ThreadEach parallel(2);
    std::vector<const void*> inputs = {lhs.data()};
    if (!constant) inputs.push_back(rhs.data());
    std::vector<float> apart(sums.size()), in_place = residual;
    inputs.push_back(residual.data());
    Execute(*kernel, inputs, apart.data(), parallel);
    inputs.back() = in_place.data();
    Execute(*kernel, inputs, in_place.data(), parallel);
    EXPECT_EQ(apart, in_place);
    for (size_t i = 0; i < sums.size(); ++i) {
      ASSERT_NEAR(apart[i], sums[i] + bias[i % s.n] + residual[i],
                  1.2e-7 * static_cast<double>(s.k) + 1e-6)
          << kernel->implementation();
    }
  }
}

TEST(OnednnMatMul, BatchSizesShareOnePackedCopy) {
  for (const bool integer : {false, true}) {
    PackedWeights packed;
    const std::vector<float> floats(1280 * 1000, 1.0f);
    const std::vector<int8_t> integers(1280 * 1000, 1);
    const std::vector<float> multiplier(1000, 1.0f);
    size_t after_first = 0;
    for (const int64_t rows : {1, 2, 8, 32}) {
      MatMulSpec spec =
          MakeSpec(MatMulShape{1, 1, rows, 1000, 1280, false, true},
                   integer ? ElementType::kUint8 : ElementType::kFloat32, ElementType::kFloat32);
      spec.sum.weights_id = 3;
      spec.sum.weights = integer ? static_cast<const void*>(integers.data()) : floats.data();
      if (integer) {
        spec.sum.arithmetic = Arithmetic::kStaticInt8;
        spec.sum.weights_type = ElementType::kInt8;
        spec.sum.multiplier = multiplier;
      }
      const PreparedPtr kernel = onednn::PrepareMatMul(spec, Context(2, &packed));
      ASSERT_NE(kernel, nullptr);
      if (rows == 1) after_first = packed.bytes();
    }
    EXPECT_EQ(packed.bytes(), after_first) << (integer ? "int8" : "float32");
  }
}

TEST(OnednnPooling, CountsOnlyElementsInsideTheImage) {
  for (const Layout layout : {Layout::kRowMajor, Layout::kChannelsLast}) {
    PoolingSpec spec;
    spec.kind = PoolingSpec::Kind::kAverage;
    spec.src = {ElementType::kFloat32, {1, 16, 4, 4}, layout};
    spec.dst = {
        ElementType::kFloat32, {1, 16, 2, 2}, layout};  // rounded up: reaches past the image
    spec.kernel = {3, 3};
    spec.strides = {2, 2};
    spec.pads_begin = spec.pads_end = {0, 0};
    const PreparedPtr kernel = onednn::PreparePooling(spec, Context());
    ASSERT_NE(kernel, nullptr);
    const std::vector<float> src(16 * 16, 3.0f);
    std::vector<float> got(16 * 4);
    Execute(*kernel, {src.data()}, got.data());
    EXPECT_EQ(got, std::vector<float>(16 * 4, 3.0f));
    spec.kind = PoolingSpec::Kind::kAverageIncludePad;
    EXPECT_EQ(onednn::PreparePooling(spec, Context()), nullptr);
  }
}

TEST(OnednnPooling, MaximumOfIntegersIsExact) {
  PoolingSpec spec;
  spec.src = {ElementType::kUint8, {1, 20, 6, 6}, Layout::kChannelsLast};
  spec.dst = {ElementType::kUint8, {1, 20, 3, 3}, Layout::kChannelsLast};
  spec.kernel = {3, 3};
  spec.strides = {2, 2};
  spec.pads_begin = spec.pads_end = {1, 1};
  const PreparedPtr kernel = onednn::PreparePooling(spec, Context());
  ASSERT_NE(kernel, nullptr);
  const auto src = Random<uint8_t>(20 * 36, 0, 255, 40);
  std::vector<uint8_t> got(20 * 9);
  Execute(*kernel, {src.data()}, got.data());
  for (int y = 0; y < 3; ++y)
    for (int x = 0; x < 3; ++x)
      for (int c = 0; c < 20; ++c) {
        uint8_t wanted = 0;
        for (int row = std::max(2 * y - 1, 0); row < std::min(2 * y + 2, 6); ++row)
          for (int column = std::max(2 * x - 1, 0); column < std::min(2 * x + 2, 6); ++column)
            wanted = std::max(wanted, src[(row * 6 + column) * 20 + c]);
        ASSERT_EQ(got[(y * 3 + x) * 20 + c], wanted);
      }
}

TEST(OnednnBinary, BroadcastsAChannelOfEitherLayoutAndOperand) {
  const auto image = RandomFloats(2 * 5 * 3 * 4, -1.0f, 1.0f, 41);
  const auto channel = RandomFloats(5, -1.0f, 1.0f, 42);
  for (const Layout layout : {Layout::kRowMajor, Layout::kChannelsLast}) {
    for (const bool swapped : {false, true}) {
      BinarySpec spec;
      spec.operation = BinarySpec::Operation::kMul;
      spec.dst = {ElementType::kFloat32, {2, 5, 3, 4}, layout};
      spec.a = spec.b = spec.dst;
      (swapped ? spec.a : spec.b).dims = {1, 5, 1, 1};
      spec.activation = {Activation::Kind::kRelu};
      const PreparedPtr kernel = onednn::PrepareBinary(spec, Context());
      ASSERT_NE(kernel, nullptr);
      std::vector<float> got(image.size());
      if (swapped) {
        Execute(*kernel, {channel.data(), image.data()}, got.data());
      } else {
        Execute(*kernel, {image.data(), channel.data()}, got.data());
      }
      for (size_t i = 0; i < image.size(); ++i) {
        const size_t c = layout == Layout::kRowMajor ? i / 12 % 5 : i % 5;
        ASSERT_EQ(got[i], std::max(image[i] * channel[c], 0.0f));
      }
    }
  }
}

TEST(OnednnSoftmax, SumsToOneAndStandsLargeValues) {
  SoftmaxSpec spec{.outer = 3, .axis = 1001, .inner = 1, .logarithm = false};
  const PreparedPtr kernel = onednn::PrepareSoftmax(spec, Context());
  ASSERT_NE(kernel, nullptr);
  auto values = RandomFloats(3 * 1001, 900.0f, 1000.0f, 43);
  const auto src = values;
  Execute(*kernel, {values.data()}, values.data());
  for (int row = 0; row < 3; ++row) {
    double largest = 0, total = 0;
    for (int i = 0; i < 1001; ++i) largest = std::max<double>(largest, src[row * 1001 + i]);
    for (int i = 0; i < 1001; ++i) total += std::exp(src[row * 1001 + i] - largest);
    for (int i = 0; i < 1001; ++i) {
      ASSERT_NEAR(values[row * 1001 + i], std::exp(src[row * 1001 + i] - largest) / total, 1e-6);
    }
  }
}

TEST(OnednnEltwise, ActivationsAgreeWithTheirDefinition) {
  const auto src = RandomFloats(1003, -12.0f, 12.0f, 44);
  for (const Activation activation :
       {Activation{Activation::Kind::kRelu}, Activation{Activation::Kind::kClip, -1.0f, 6.0f},
        Activation{Activation::Kind::kLeakyRelu, 0.01f}, Activation{Activation::Kind::kSigmoid},
        Activation{Activation::Kind::kTanh}, Activation{Activation::Kind::kHardSwish},
        Activation{Activation::Kind::kSwish}, Activation{Activation::Kind::kElu, 1.0f}}) {
    EltwiseSpec spec;
    spec.count = 1003;
    spec.activation = activation;
    const PreparedPtr kernel = onednn::PrepareEltwise(spec, Context());
    ASSERT_NE(kernel, nullptr);
    std::vector<float> got(src.size());
    Execute(*kernel, {src.data()}, got.data());
    for (size_t i = 0; i < src.size(); ++i) {
      const float wanted = Activate(activation, src[i]);
      ASSERT_NEAR(got[i], wanted, 2e-6 * (1 + std::abs(wanted)))
          << static_cast<int>(activation.kind) << " of " << src[i];
    }
  }
}

// A fresh process, because the limit is fixed by the first primitive.
TEST(OnednnIsaDeathTest, LimitIsTakenBeforeTheFirstPrimitiveOnly) {
  if ((DetectCpuFeatures() & kAvx2) == 0) GTEST_SKIP();
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(
      {
        const bool taken = onednn::LimitIsa(kAvx2);
        const bool limited = onednn::EffectiveIsa() == "avx2";
        const bool exact = onednn::HasExactIntegerProducts();
        const bool again = onednn::LimitIsa(kNoFeatures);
        std::exit(taken && limited && !exact && !again ? 0 : 1);
      },
      testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace fourfold::kernels
