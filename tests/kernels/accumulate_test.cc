#include <cmath>

#include "kernels/convolution.h"
#include "kernels/matmul.h"
#include "testing.h"

// Convolution and matrix multiplication of every engine against sums written out in int64 and
// double.
namespace fourfold::kernels {
namespace {

using testing::Random;

// What accumulate.h says becomes of one sum; exact where the header promises bytes.
struct Expected {
  const Accumulation& sum;
  ElementType dst_type;

  float Bias(size_t o) const { return sum.bias.empty() ? 0.0f : sum.bias[o]; }

  float Real(double total, size_t o, float scale, float residual) const {
    float value = 0;
    if (sum.arithmetic == Arithmetic::kFloat) {
      value = static_cast<float>(total + Bias(o) + residual);
    } else if (sum.arithmetic == Arithmetic::kStaticInt8) {
      value = (static_cast<float>(total) + Bias(o)) * sum.multiplier[o] + residual;
    } else {
      value = static_cast<float>(total) * (scale * sum.multiplier[o]) + Bias(o) + residual;
    }
    return Activate(sum.activation, value);
  }

  int Integer(double total, size_t o) const {
    float value = Real(total, o, 1.0f, 0.0f);
    if (sum.dst_scale_inverse != 1.0f) value *= sum.dst_scale_inverse;
    return dst_type == ElementType::kUint8 ? RoundAndSaturate<uint8_t>(value, sum.dst_zero_point)
                                           : RoundAndSaturate<int8_t>(value, sum.dst_zero_point);
  }
};

// A source of any of the three types, as stored values.
struct Source {
  std::vector<float> reals;
  std::vector<uint8_t> bytes;

  Source(Random& random, ElementType type, int64_t count) {
    if (type == ElementType::kFloat32)
      reals = random.Reals(count);
    else
      bytes = random.Integers<uint8_t>(count);
    for (size_t i = 0; i < bytes.size(); i += 7) bytes[i] = i % 2 == 0 ? 0x80 : 0xFF;  // extremes
  }
  const void* data() const {
    return reals.empty() ? static_cast<const void*>(bytes.data()) : reals.data();
  }
  double At(ElementType type, int64_t i) const {
    const auto at = static_cast<size_t>(i);
    if (type == ElementType::kFloat32) return reals[at];
    return type == ElementType::kUint8 ? bytes[at] : static_cast<int8_t>(bytes[at]);
  }
};

enum class Mode {
  kFloat,
  kHalfWeights,
  kToUint8,
  kToInt8,
  kToFloat,
  kDynamic,
  kZeroPoints,      // uint8 weights with zero points, few numbers outside int8; to int8
  kManyZeroPoints,  // many; to uint8
  kDynamicZeroPoints,
};

std::string NameOf(Mode mode) {
  return std::vector<
      std::string>{"float",   "half",  "u8",        "s8",          "dequantized",
                   "dynamic", "zeros", "manyzeros", "dynamiczeros"}[static_cast<size_t>(mode)];
}

bool IsDynamic(Mode mode) { return mode == Mode::kDynamic || mode == Mode::kDynamicZeroPoints; }

// Weights and constants of a mode; keeps what the Accumulation borrows.
struct Constants {
  std::vector<float> weights, bias, multiplier;
  std::vector<uint16_t> half;
  std::vector<int8_t> integers;
  std::vector<uint8_t> bytes;
  std::vector<int32_t> zero_points;
  ElementType src_type = ElementType::kFloat32;
  ElementType dst_type = ElementType::kFloat32;
  Accumulation sum;

  // channel_of(i): the output channel of weight i.
  Constants(Random& random, Mode mode, int64_t channels, int64_t count,
            const std::function<int64_t(int64_t)>& channel_of) {
    weights = random.Reals(count);
    if (mode == Mode::kHalfWeights) {
      for (float& w : weights) w = HalfToFloat(half.emplace_back(FloatToHalf(w)));
      sum.weights_type = ElementType::kFloat16;
      sum.weights = half.data();
    } else {
      sum.weights = weights.data();
    }
    bias = random.Reals(channels);
    sum.activation = {Activation::Kind::kRelu, 0, 0};
    if (mode != Mode::kFloat && mode != Mode::kHalfWeights)
      MakeIntegers(random, mode, channels, count);
    if (HasZeroPoints(mode)) MakeZeroPoints(random, mode, channels, channel_of);
    sum.bias = bias;
    sum.multiplier = multiplier;
    sum.residual = dst_type == ElementType::kFloat32 && !HasZeroPoints(mode);
  }

  static bool HasZeroPoints(Mode mode) {
    return mode == Mode::kZeroPoints || mode == Mode::kManyZeroPoints ||
           mode == Mode::kDynamicZeroPoints;
  }

  void MakeZeroPoints(Random& random, Mode mode, int64_t channels,
                      const std::function<int64_t(int64_t)>& channel_of) {
    const bool many = mode == Mode::kManyZeroPoints;
    for (int64_t o = 0; o < channels; ++o)
      zero_points.push_back(static_cast<int32_t>(many ? random.Integer(0, 255) : 157));
    for (size_t i = 0; i < weights.size(); ++i) {
      const bool outside = many || random.Integer(0, 99) == 0;
      bytes.push_back(static_cast<uint8_t>(outside ? random.Integer(0, 255)
                                                   : random.Integer(157 - 64, 157 + 64)));
      weights[i] = static_cast<float>(
          bytes.back() - zero_points[static_cast<size_t>(channel_of(static_cast<int64_t>(i)))]);
    }
    bytes.front() = 0;
    weights.front() = static_cast<float>(-zero_points.front());
    sum.weights = bytes.data();
    sum.weights_type = ElementType::kUint8;
    sum.weights_zero_point = zero_points;
  }

  void MakeIntegers(Random& random, Mode mode, int64_t channels, int64_t count) {
    integers = random.Integers<int8_t>(count, -64, 64);  // proof against 16-bit saturation
    for (int64_t i = 0; i < count; ++i)
      weights[static_cast<size_t>(i)] = integers[static_cast<size_t>(i)];
    sum.weights = integers.data();
    sum.weights_type = ElementType::kInt8;
    multiplier = random.Reals(channels, 0.0005f, 0.01f);
    sum.src_zero_point = 3;
    src_type = mode == Mode::kToInt8 || mode == Mode::kZeroPoints ? ElementType::kInt8
                                                                  : ElementType::kUint8;
    if (IsDynamic(mode)) {
      sum.arithmetic = Arithmetic::kDynamicInt8;
      return;
    }
    sum.arithmetic = Arithmetic::kStaticInt8;
    for (float& b : bias) b = std::round(b * 500.0f);
    if (mode == Mode::kToFloat) return;
    const bool to_uint8 = mode == Mode::kToUint8 || mode == Mode::kManyZeroPoints;
    dst_type = to_uint8 ? ElementType::kUint8 : ElementType::kInt8;
    sum.dst_zero_point = to_uint8 ? 5 : -7;
    sum.activation = to_uint8 ? Activation{Activation::Kind::kClip, 0.0f, 100.0f} : Activation{};
  }
};

// Compares all engines with each other and the reference with `want(i, sample's params)`.
template <typename Spec, typename Want>
void ExpectSums(std::span<const Kernel<Spec>> table, const Spec& spec, const Constants& constants,
                std::vector<const void*> inputs, int64_t count, const Want& want) {
  if (constants.dst_type == ElementType::kFloat32) {
    const std::vector<float> got =
        testing::ExpectEnginesAgree<float>(table, spec, inputs, count, 2e-5);
    std::vector<float> expected;
    for (int64_t i = 0; i < count; ++i) expected.push_back(static_cast<float>(want(i)));
    EXPECT_LE(testing::Error(got, expected), 1e-5);
  } else if (constants.dst_type == ElementType::kUint8) {
    const std::vector<uint8_t> got =
        testing::ExpectEnginesAgree<uint8_t>(table, spec, inputs, count, 0);
    for (size_t i = 0; i < got.size(); ++i) ASSERT_EQ(got[i], want(static_cast<int64_t>(i))) << i;
  } else {
    const std::vector<int8_t> got =
        testing::ExpectEnginesAgree<int8_t>(table, spec, inputs, count, 0);
    for (size_t i = 0; i < got.size(); ++i) ASSERT_EQ(got[i], want(static_cast<int64_t>(i))) << i;
  }
}

struct ConvolutionCase {
  std::string name;
  int64_t batch, channels, outputs, groups;
  Dims in, kernel, strides, dilations, begin, end;
};

std::vector<ConvolutionCase> ConvolutionCases() {
  std::vector<ConvolutionCase> cases = {
      {"one", 1, 1, 1, 1, {1}, {1}, {1}, {1}, {0}, {0}},
      {"line", 2, 5, 7, 1, {19}, {4}, {2}, {2}, {3}, {1}},
      {"point15to17", 2, 15, 17, 1, {5, 4}, {1, 1}, {1, 1}, {1, 1}, {0, 0}, {0, 0}},
      {"point64to131", 1, 64, 131, 1, {3, 3}, {1, 1}, {2, 2}, {1, 1}, {0, 0}, {0, 0}},
      {"same3x3", 2, 16, 32, 1, {7, 9}, {3, 3}, {1, 1}, {1, 1}, {1, 1}, {1, 1}},
      {"uneven", 1, 3, 33, 1, {11, 8}, {5, 2}, {2, 3}, {1, 2}, {2, 0}, {1, 1}},
      {"grouped", 1, 12, 18, 3, {6, 6}, {3, 3}, {1, 1}, {1, 1}, {1, 1}, {1, 1}},
      {"groupedwide", 1, 4, 140, 2, {4, 4}, {3, 3}, {1, 1}, {1, 1}, {1, 1}, {1, 1}},
      {"depthwise", 2, 67, 67, 67, {9, 9}, {3, 3}, {2, 2}, {1, 1}, {1, 1}, {1, 1}},
      {"multiplier2", 1, 8, 16, 8, {5, 5}, {3, 3}, {1, 1}, {1, 1}, {1, 1}, {1, 1}},
      {"volume", 1, 4, 6, 2, {4, 5, 3}, {3, 2, 2}, {1, 2, 1}, {1, 1, 1}, {1, 0, 1}, {1, 0, 0}},
      {"padonly", 1, 2, 3, 1, {1, 1}, {3, 3}, {1, 1}, {1, 1}, {2, 2}, {2, 2}},
  };
  Random random(20240501);
  for (int i = 0; i < 6; ++i) {
    const int64_t groups = random.Integer(1, 3);
    ConvolutionCase c{"random" + std::to_string(i),
                      random.Integer(1, 3),
                      groups * random.Integer(1, 20),
                      groups * random.Integer(1, 40),
                      groups,
                      {},
                      {},
                      {},
                      {},
                      {},
                      {}};
    for (int d = 0; d < 2; ++d) {
      c.in.push_back(random.Integer(7, 14));
      c.kernel.push_back(random.Integer(1, 4));
      c.strides.push_back(random.Integer(1, 3));
      c.dilations.push_back(random.Integer(1, 2));
      c.begin.push_back(random.Integer(0, c.kernel.back() - 1));
      c.end.push_back(random.Integer(0, c.kernel.back() - 1));
    }
    cases.push_back(c);
  }
  return cases;
}

class ConvolutionTest : public ::testing::TestWithParam<std::tuple<ConvolutionCase, Mode, Layout>> {
};

// The sum behind output element (image, o, place), in row-major order of the weights.
double NaiveSum(const ConvolutionSpec& spec, const Constants& constants, const Source& source,
                double zero, int64_t image, int64_t o, const Dims& place) {
  const std::vector<int64_t> strides = Strides(spec.src.dims, spec.src.layout);
  const int64_t group_in = spec.weights[1];
  const int64_t group = o / (spec.weights[0] / spec.groups);
  const size_t space = place.size();
  const Dims kernel(spec.weights.begin() + 2, spec.weights.end());
  const int64_t taps = ElementCount(kernel);
  double total = 0;
  for (int64_t tap = 0; tap < taps; ++tap) {
    int64_t rest = tap, offset = image * strides[0];
    bool inside = true;
    for (size_t d = space; d-- > 0;) {
      const int64_t at =
          place[d] * spec.strides[d] - spec.pads_begin[d] + rest % kernel[d] * spec.dilations[d];
      rest /= kernel[d];
      inside = inside && at >= 0 && at < spec.src.dims[d + 2];
      offset += at * strides[d + 2];
    }
    if (!inside) continue;
    for (int64_t c = 0; c < group_in; ++c) {
      const double x = source.At(constants.src_type, offset + (group * group_in + c) * strides[1]);
      total += (x - zero) * constants.weights[static_cast<size_t>((o * group_in + c) * taps + tap)];
    }
  }
  return total;
}

TEST_P(ConvolutionTest, EqualsTheDefinition) {
  const auto& [c, mode, layout] = GetParam();
  Random random(static_cast<uint32_t>(std::hash<std::string>{}(c.name) % 100000));
  ConvolutionSpec spec{.groups = c.groups,
                       .strides = c.strides,
                       .dilations = c.dilations,
                       .pads_begin = c.begin,
                       .pads_end = c.end,
                       .sum = {}};
  spec.src = {.dims = {c.batch, c.channels}, .layout = layout};
  spec.dst = {.dims = {c.batch, c.outputs}, .layout = layout};
  spec.weights = {c.outputs, c.channels / c.groups};
  for (size_t d = 0; d < c.in.size(); ++d) {
    spec.src.dims.push_back(c.in[d]);
    spec.weights.push_back(c.kernel[d]);
    const int64_t reach = (c.kernel[d] - 1) * c.dilations[d] + 1;
    spec.dst.dims.push_back((c.in[d] + c.begin[d] + c.end[d] - reach) / c.strides[d] + 1);
  }
  const int64_t row = ElementCount(spec.weights) / c.outputs;
  const Constants constants(random, mode, c.outputs, ElementCount(spec.weights),
                            [row](int64_t i) { return i / row; });
  spec.src.type = constants.src_type;
  spec.dst.type = constants.dst_type;
  spec.sum = constants.sum;
  const Source source(random, constants.src_type, ElementCount(spec.src.dims));
  const int64_t count = ElementCount(spec.dst.dims);
  const std::vector<float> residual =
      spec.sum.residual ? random.Reals(count) : std::vector<float>(static_cast<size_t>(count));
  std::vector<QuantParams> params;
  for (int64_t n = 0; n < c.batch; ++n) {
    params.push_back({random.Real(0.001f, 0.01f), static_cast<int32_t>(random.Integer(0, 255))});
  }
  std::vector<const void*> inputs = {source.data()};
  if (IsDynamic(mode)) inputs.push_back(params.data());
  if (spec.sum.residual) inputs.push_back(residual.data());

  const std::vector<int64_t> strides = Strides(spec.dst.dims, layout);
  const Expected expected{constants.sum, constants.dst_type};
  ExpectSums(ConvolutionKernels(), spec, constants, inputs, count, [&](int64_t i) -> double {
    Dims index(strides.size());  // of the element at i: found by the largest stride first
    std::vector<size_t> order(strides.size());
    for (size_t d = 0; d < order.size(); ++d) order[d] = d;
    std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
      return std::pair(strides[a], spec.dst.dims[a]) > std::pair(strides[b], spec.dst.dims[b]);
    });
    int64_t rest = i;
    for (size_t d : order) {
      index[d] = rest / strides[d] % spec.dst.dims[d];
      rest %= strides[d];
    }
    const QuantParams& p = params[static_cast<size_t>(index[0])];
    double zero = spec.sum.arithmetic == Arithmetic::kFloat ? 0 : spec.sum.src_zero_point;
    if (IsDynamic(mode)) zero = p.zero_point;
    const double total = NaiveSum(spec, constants, source, zero, index[0], index[1],
                                  Dims(index.begin() + 2, index.end()));
    const auto o = static_cast<size_t>(index[1]);
    if (constants.dst_type != ElementType::kFloat32) return expected.Integer(total, o);
    return expected.Real(total, o, p.scale, residual[static_cast<size_t>(i)]);
  });
}

INSTANTIATE_TEST_SUITE_P(
    Cases, ConvolutionTest,
    ::testing::Combine(::testing::ValuesIn(ConvolutionCases()),
                       ::testing::Values(Mode::kFloat, Mode::kHalfWeights, Mode::kToUint8,
                                         Mode::kToInt8, Mode::kToFloat, Mode::kDynamic,
                                         Mode::kZeroPoints, Mode::kManyZeroPoints,
                                         Mode::kDynamicZeroPoints),
                       ::testing::Values(Layout::kRowMajor, Layout::kChannelsLast)),
    [](const auto& info) {
      return std::get<0>(info.param).name + "_" + NameOf(std::get<1>(info.param)) +
             (std::get<2>(info.param) == Layout::kRowMajor ? "_nchw" : "_nhwc");
    });

TEST(ConvolutionSpecTest, ASumTooLongForInt32IsRefused) {
  const std::vector<int8_t> weights(static_cast<size_t>(kMaxExactSum + 1), 1);
  const std::vector<float> multiplier(1, 1.0f);
  for (const int64_t channels : {kMaxExactSum, kMaxExactSum + 1}) {
    ConvolutionSpec spec{.src = {.type = ElementType::kUint8, .dims = {1, channels, 1}},
                         .dst = {.type = ElementType::kFloat32, .dims = {1, 1, 1}},
                         .weights = {1, channels, 1},
                         .strides = {1},
                         .dilations = {1},
                         .pads_begin = {0},
                         .pads_end = {0},
                         .sum = {}};
    spec.sum.arithmetic = Arithmetic::kStaticInt8;
    spec.sum.weights = weights.data();
    spec.sum.weights_type = ElementType::kInt8;
    spec.sum.multiplier = multiplier;
    EXPECT_EQ(PrepareFirst(ConvolutionKernels(), spec, {}) != nullptr, channels == kMaxExactSum);
  }
}

TEST(ConvolutionSpecTest, ASumOfNineBitWeightsTooLongForInt32IsRefused) {
  const std::vector<uint8_t> weights(static_cast<size_t>(kMaxExactWideSum + 1), 255);
  const std::vector<float> multiplier(1, 1.0f);
  const std::vector<int32_t> zero_point(1, 0);
  for (const int64_t k : {kMaxExactWideSum, kMaxExactWideSum + 1}) {
    MatMulSpec spec{.src_type = ElementType::kUint8, .m = 1, .n = 1, .k = k, .sum = {}};
    spec.sum.arithmetic = Arithmetic::kStaticInt8;
    spec.sum.weights = weights.data();
    spec.sum.weights_type = ElementType::kUint8;
    spec.sum.weights_zero_point = zero_point;
    spec.sum.multiplier = multiplier;
    const PreparedPtr kernel = PrepareFirst(MatMulKernels(), spec, {});
    ASSERT_EQ(kernel != nullptr, k == kMaxExactWideSum);
    if (kernel == nullptr) continue;
    const std::vector<uint8_t> src(static_cast<size_t>(k), 255);
    float dst = 0;
    const void* in = src.data();
    void* out = &dst;
    std::vector<std::byte> scratch(kernel->scratch_bytes());
    Sequential sequential;
    kernel->Run({{&in, 1}, {&out, 1}, scratch.data(), &sequential});
    EXPECT_EQ(dst, static_cast<float>(255 * 255 * k));
  }
}

TEST(ConvolutionSpecTest, PreparationsOfOneIdShareTheirPackedWeights) {
  const std::vector<float> weights(64, 1.0f);
  ConvolutionSpec spec{.src = {.dims = {1, 8, 4}},
                       .dst = {.dims = {1, 8, 4}},
                       .weights = {8, 8, 1},
                       .strides = {1},
                       .dilations = {1},
                       .pads_begin = {0},
                       .pads_end = {0},
                       .sum = {}};
  spec.sum.weights = weights.data();
  spec.sum.weights_id = 9;
  PackedWeights packed;
  const PreparedPtr one = PrepareFirst(ConvolutionKernels(), spec, {.packed = &packed});
  spec.src.dims[0] = spec.dst.dims[0] = 5;
  const PreparedPtr five = PrepareFirst(ConvolutionKernels(), spec, {.packed = &packed});
  EXPECT_EQ(packed.bytes(), 256u);
  EXPECT_EQ(five->packed_bytes(), 256u);
}

struct MatMulCase {
  int64_t lhs_batch, rhs_batch, m, n, k;
};

class MatMulTest : public ::testing::TestWithParam<std::tuple<MatMulCase, Mode, int>> {};

TEST_P(MatMulTest, EqualsTheDefinition) {
  const auto& [c, mode, flags] = GetParam();
  const bool transpose_lhs = (flags & 1) != 0, transpose_rhs = (flags & 2) != 0;
  if (c.rhs_batch != 1 && mode != Mode::kFloat) GTEST_SKIP() << "constant weights have no batch";
  Random random(static_cast<uint32_t>(c.m * 10007 + c.n * 101 + c.k + flags));
  const bool constant = mode != Mode::kFloat || (c.rhs_batch == 1 && c.m % 2 == 0);
  Constants constants(random, mode, c.n, c.rhs_batch * c.n * c.k,
                      [&](int64_t i) { return transpose_rhs ? i / c.k % c.n : i % c.n; });
  MatMulSpec spec{.src_type = constants.src_type,
                  .dst_type = constants.dst_type,
                  .lhs_batch = c.lhs_batch,
                  .rhs_batch = c.rhs_batch,
                  .m = c.m,
                  .n = c.n,
                  .k = c.k,
                  .transpose_lhs = transpose_lhs,
                  .transpose_rhs = transpose_rhs,
                  .samples = c.lhs_batch,
                  .sum = {}};
  if (!constant) constants.sum.weights = nullptr;
  spec.sum = constants.sum;
  const int64_t batch = std::max(c.lhs_batch, c.rhs_batch), count = batch * c.m * c.n;
  const Source source(random, constants.src_type, c.lhs_batch * c.m * c.k);
  const std::vector<float> residual =
      spec.sum.residual ? random.Reals(count) : std::vector<float>(static_cast<size_t>(count));
  std::vector<QuantParams> params;
  for (int64_t i = 0; i < spec.samples; ++i) {
    params.push_back({random.Real(0.001f, 0.01f), static_cast<int32_t>(random.Integer(0, 255))});
  }
  std::vector<const void*> inputs = {source.data()};
  if (!constant) inputs.push_back(constants.weights.data());
  if (IsDynamic(mode)) inputs.push_back(params.data());
  if (spec.sum.residual) inputs.push_back(residual.data());
  const Expected expected{constants.sum, constants.dst_type};
  ExpectSums(MatMulKernels(), spec, constants, inputs, count, [&](int64_t i) -> double {
    const int64_t b = i / c.n / c.m, m = i / c.n % c.m, n = i % c.n;
    const QuantParams p = IsDynamic(mode) ? params[static_cast<size_t>(b)] : QuantParams{};
    double zero = spec.sum.arithmetic == Arithmetic::kFloat ? 0 : spec.sum.src_zero_point;
    if (IsDynamic(mode)) zero = p.zero_point;
    double total = 0;
    for (int64_t k = 0; k < c.k; ++k) {
      const int64_t left =
          (c.lhs_batch == 1 ? 0 : b) * c.m * c.k + (transpose_lhs ? k * c.m + m : m * c.k + k);
      const int64_t right =
          (c.rhs_batch == 1 ? 0 : b) * c.k * c.n + (transpose_rhs ? n * c.k + k : k * c.n + n);
      total += (source.At(constants.src_type, left) - zero) *
               constants.weights[static_cast<size_t>(right)];
    }
    const auto o = static_cast<size_t>(n);
    if (constants.dst_type != ElementType::kFloat32) return expected.Integer(total, o);
    return expected.Real(total, o, p.scale, residual[static_cast<size_t>(i)]);
  });
}

INSTANTIATE_TEST_SUITE_P(
    Cases, MatMulTest,
    ::testing::Combine(::testing::Values(MatMulCase{1, 1, 1, 1, 1}, MatMulCase{1, 1, 15, 17, 16},
                                         MatMulCase{1, 1, 1, 1000, 64}, MatMulCase{3, 1, 4, 63, 65},
                                         MatMulCase{2, 2, 5, 64, 31}, MatMulCase{1, 3, 7, 35, 131}),
                       ::testing::Values(Mode::kFloat, Mode::kHalfWeights, Mode::kToUint8,
                                         Mode::kToInt8, Mode::kToFloat, Mode::kDynamic,
                                         Mode::kZeroPoints, Mode::kManyZeroPoints,
                                         Mode::kDynamicZeroPoints),
                       ::testing::Values(0, 1, 2, 3)),
    [](const auto& info) {
      const MatMulCase& c = std::get<0>(info.param);
      return "b" + std::to_string(c.lhs_batch) + "x" + std::to_string(c.rhs_batch) + "_m" +
             std::to_string(c.m) + "_n" + std::to_string(c.n) + "_k" + std::to_string(c.k) + "_" +
             NameOf(std::get<1>(info.param)) + (std::get<2>(info.param) & 1 ? "_lt" : "") +
             (std::get<2>(info.param) & 2 ? "_rt" : "");
    });

}  // namespace
}  // namespace fourfold::kernels
