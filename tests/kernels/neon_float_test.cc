#include <sys/mman.h>
#include <unistd.h>

#include <cmath>

#include "kernels/convolution.h"
#include "kernels/matmul.h"
#include "kernels/neon/source_f16.h"
#include "testing.h"

// Each float row of NEON by itself, against sums written out in double, within bounds that follow
// from the precision of its arithmetic.
namespace fourfold::kernels {
namespace {

using testing::Random;

// Values that end where the process may no longer read, and begin wherever that puts them.
class BeforeTheEnd {
 public:
  explicit BeforeTheEnd(const std::vector<float>& values) {
    const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    const size_t bytes = values.size() * sizeof(float);
    const size_t readable = (bytes + page - 1) / page * page;
    size_ = readable + page;
    memory_ = mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    EXPECT_NE(memory_, MAP_FAILED);
    EXPECT_EQ(mprotect(static_cast<char*>(memory_) + readable, page, PROT_NONE), 0);
    data_ = reinterpret_cast<float*>(static_cast<char*>(memory_) + readable - bytes);
    std::memcpy(data_, values.data(), bytes);
  }
  ~BeforeTheEnd() { munmap(memory_, size_); }
  BeforeTheEnd(const BeforeTheEnd&) = delete;
  const float* data() const { return data_; }

 private:
  void* memory_;
  size_t size_;
  float* data_;
};

// A product in a form that all cases share.
struct Case {
  std::string name;
  int64_t batch, channels, outputs, groups;
  Dims in, kernel, strides, dilations, begin, end;
};

int64_t Taps(const Case& c) { return ElementCount(c.kernel); }
int64_t GroupIn(const Case& c) { return c.channels / c.groups; }

std::vector<Case> Cases() {
  std::vector<Case> cases = {
      {"one", 1, 1, 1, 1, {1, 1}, {1, 1}, {1, 1}, {1, 1}, {0, 0}, {0, 0}},
      {"point7to8", 1, 7, 8, 1, {7, 1}, {1, 1}, {1, 1}, {1, 1}, {0, 0}, {0, 0}},
      {"point8to7", 1, 8, 7, 1, {8, 1}, {1, 1}, {1, 1}, {1, 1}, {0, 0}, {0, 0}},
      {"point16to9", 3, 16, 9, 1, {3, 3}, {1, 1}, {1, 1}, {1, 1}, {0, 0}, {0, 0}},
      {"point19to19", 2, 19, 19, 1, {5, 5}, {1, 1}, {2, 2}, {1, 1}, {0, 0}, {0, 0}},
      {"point130to35", 1, 130, 35, 1, {4, 5}, {1, 1}, {1, 1}, {1, 1}, {0, 0}, {0, 0}},
      {"line", 2, 24, 10, 1, {23}, {5}, {2}, {2}, {4}, {3}},
      {"volume", 1, 8, 9, 1, {4, 5, 3}, {3, 2, 2}, {1, 2, 1}, {1, 1, 1}, {1, 0, 1}, {1, 0, 0}},
      {"first3x3", 2, 3, 16, 1, {9, 11}, {3, 3}, {2, 2}, {1, 1}, {1, 1}, {1, 1}},
      {"same3x3", 2, 16, 32, 1, {9, 11}, {3, 3}, {1, 1}, {1, 1}, {1, 1}, {1, 1}},
      {"dilated", 1, 12, 8, 1, {12, 9}, {3, 3}, {1, 1}, {2, 3}, {2, 3}, {2, 3}},
      {"padding", 1, 20, 3, 1, {1, 1}, {3, 3}, {1, 1}, {1, 1}, {2, 2}, {2, 2}},
      {"large", 1, 40, 65, 1, {14, 13}, {3, 3}, {1, 1}, {1, 1}, {1, 1}, {1, 1}},
      {"many_taps", 1, 9, 8, 1, {20, 20}, {13, 13}, {1, 1}, {1, 1}, {6, 6}, {6, 6}},
      {"groups", 2, 48, 27, 3, {6, 5}, {3, 3}, {1, 1}, {1, 1}, {1, 1}, {1, 1}},
      {"multiplier", 1, 8, 16, 8, {5, 5}, {3, 3}, {1, 1}, {1, 1}, {1, 1}, {1, 1}},
      {"depthwise1", 2, 2, 2, 2, {5, 5}, {3, 3}, {1, 1}, {1, 1}, {1, 1}, {1, 1}},
      {"depthwise8", 1, 8, 8, 8, {9, 9}, {5, 5}, {1, 1}, {1, 1}, {2, 2}, {2, 2}},
      {"depthwise67", 2, 67, 67, 67, {9, 9}, {3, 3}, {2, 2}, {1, 1}, {1, 1}, {1, 1}},
      {"depthwise33", 1, 33, 33, 33, {1, 3}, {1, 3}, {1, 1}, {1, 1}, {0, 1}, {0, 1}},
  };
  Random random(20261121);
  for (int i = 0; i < 8; ++i) {
    const int64_t groups = random.Integer(1, 3);
    Case c{"random" + std::to_string(i),
           random.Integer(1, 3),
           groups * random.Integer(1, 80),
           groups * random.Integer(1, 40),
           groups,
           {},
           {},
           {},
           {},
           {},
           {}};
    for (int d = 0; d < 2; ++d) {
      c.in.push_back(random.Integer(7, 12));
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

// Spec, weights, source and what they should give.
class Problem {
 public:
  Problem(const Case& c, bool half)
      : random_(static_cast<uint32_t>(std::hash<std::string>{}(c.name) % 100000)) {
    spec.groups = c.groups;
    spec.strides = c.strides;
    spec.dilations = c.dilations;
    spec.pads_begin = c.begin;
    spec.pads_end = c.end;
    spec.src = {.dims = {c.batch, c.channels}, .layout = Layout::kChannelsLast};
    spec.dst = {.dims = {c.batch, c.outputs}, .layout = Layout::kChannelsLast};
    spec.weights = {c.outputs, GroupIn(c)};
    for (size_t d = 0; d < c.in.size(); ++d) {
      spec.src.dims.push_back(c.in[d]);
      spec.weights.push_back(c.kernel[d]);
      const int64_t reach = (c.kernel[d] - 1) * c.dilations[d] + 1;
      spec.dst.dims.push_back((c.in[d] + c.begin[d] + c.end[d] - reach) / c.strides[d] + 1);
    }
    weights = random_.Reals(ElementCount(spec.weights), -0.5f, 0.5f);
    if (half) {
      for (float& w : weights) w = HalfToFloat(halves.emplace_back(FloatToHalf(w)));
      spec.sum.weights_type = ElementType::kFloat16;
      spec.sum.weights = halves.data();
    } else {
      spec.sum.weights = weights.data();
    }
    bias = random_.Reals(c.outputs);
    spec.sum.bias = bias;
    spec.sum.residual = true;
    spec.sum.activation = {Activation::Kind::kLeakyRelu, 0.25f, 0.0f};
    src = random_.Reals(ElementCount(spec.src.dims), -1.0f, 1.0f);
    residual = random_.Reals(ElementCount(spec.dst.dims));
  }

  int64_t count() const { return ElementCount(spec.dst.dims); }

  // The sum of products, or of their magnitudes, behind each element of dst.
  std::vector<double> Sums(bool magnitudes) const {
    const std::vector<int64_t> from = Strides(spec.src.dims, spec.src.layout);
    const std::vector<int64_t> to = Strides(spec.dst.dims, spec.dst.layout);
    const Dims kernel(spec.weights.begin() + 2, spec.weights.end());
    const int64_t group_in = spec.weights[1], group_out = spec.weights[0] / spec.groups;
    const int64_t taps = ElementCount(kernel);
    std::vector<double> sums(static_cast<size_t>(count()));
    Dims index(spec.dst.dims.size(), 0);
    for (int64_t i = 0; i < count(); ++i) {
      const int64_t first = index[1] / group_out * group_in;
      int64_t at = 0;
      for (size_t d = 0; d < index.size(); ++d) at += index[d] * to[d];
      double& sum = sums[static_cast<size_t>(at)];
      for (int64_t tap = 0; tap < taps; ++tap) {
        int64_t rest = tap, offset = index[0] * from[0];
        bool inside = true;
        for (size_t d = kernel.size(); d-- > 0;) {
          const int64_t x = index[d + 2] * spec.strides[d] - spec.pads_begin[d] +
                            rest % kernel[d] * spec.dilations[d];
          rest /= kernel[d];
          inside = inside && x >= 0 && x < spec.src.dims[d + 2];
          offset += x * from[d + 2];
        }
        for (int64_t c = 0; inside && c < group_in; ++c) {
          const double product =
              double{src[static_cast<size_t>(offset + (first + c) * from[1])]} *
              weights[static_cast<size_t>((index[1] * group_in + c) * taps + tap)];
          sum += magnitudes ? std::fabs(product) : product;
        }
      }
      for (size_t d = index.size(); d-- > 0;) {
        if (++index[d] < spec.dst.dims[d]) break;
        index[d] = 0;
      }
    }
    return sums;
  }

  ConvolutionSpec spec;
  std::vector<float> weights, bias, src, residual;
  std::vector<uint16_t> halves;

 private:
  Random random_;
};

// The row of a table that sums in float16 or the one that does not; null where it refuses.
template <typename Spec>
PreparedPtr PrepareRow(std::span<const Kernel<Spec>> table, bool half_arithmetic, const Spec& spec,
                       PackedWeights* packed = nullptr, int threads = 1) {
  const PrepareContext context{
      .features = DetectCpuFeatures(), .threads = threads, .packed = packed};
  for (const Kernel<Spec>& row : table) {
    if (row.engine != "neon" || ((row.needs & kNeonFp16) != 0) != half_arithmetic) continue;
    if ((row.needs & context.features) != row.needs) continue;
    if (PreparedPtr kernel = row.prepare(spec, context)) {
      EXPECT_EQ(kernel->float16_arithmetic(), half_arithmetic);
      return kernel;
    }
  }
  return nullptr;
}

std::vector<float> RunOn(const PreparedKernel& kernel, const std::vector<float>& src,
                         const std::vector<float>& residual, int64_t count, size_t shift = 1,
                         int threads = 1) {
  const BeforeTheEnd from(src);
  testing::Guarded<float> dst(count, shift);
  Sequential sequential;
  testing::ThreeThreads three;
  std::vector<const void*> inputs = {from.data()};
  if (!residual.empty()) inputs.push_back(residual.data());
  testing::Run(kernel, inputs, {dst.data()},
               threads == 1 ? static_cast<Parallel&>(sequential) : three);
  EXPECT_TRUE(dst.intact()) << "wrote outside of its output";
  return dst.values();
}

enum class Row { kFloat32, kHalfWeights, kHalfArithmetic };

class NeonConvolutionTest : public ::testing::TestWithParam<std::tuple<Case, Row>> {};

TEST_P(NeonConvolutionTest, StaysWithinTheBoundOfItsArithmetic) {
  const auto& [c, row] = GetParam();
  const bool half = row == Row::kHalfArithmetic;
  if (half && (DetectCpuFeatures() & kNeonFp16) == 0) GTEST_SKIP() << "no float16 arithmetic";
  const Problem problem(c, row != Row::kFloat32);
  const PreparedPtr kernel = PrepareRow(ConvolutionKernels(), half, problem.spec, nullptr, 3);
  if (half && (GroupIn(c) < 8 || Taps(c) * GroupIn(c) < 16)) {
    EXPECT_EQ(kernel, nullptr) << "too few products for float16 to pay";
    return;
  }
  ASSERT_NE(kernel, nullptr);
  const std::vector<float> got = RunOn(*kernel, problem.src, problem.residual, problem.count());
  EXPECT_EQ(RunOn(*kernel, problem.src, problem.residual, problem.count(), 3, 3), got)
      << "three threads, or another alignment, changed the result";

  const std::vector<double> sums = problem.Sums(false), magnitudes = problem.Sums(true);
  const auto products = static_cast<double>(Taps(c) * GroupIn(c));
  // Each of n additions rounds once; in float16 there are 64 in a run, and the source is rounded.
  const double precision = half ? std::min(products, 64.0) * 0x1p-11 + 0x1p-11 : 0.0;
  for (size_t i = 0; i < got.size(); ++i) {
    const auto o = i % static_cast<size_t>(c.outputs);
    const double value = sums[i] + problem.bias[o] + problem.residual[i];
    const double want = value < 0 ? 0.25 * value : value;
    const double size = magnitudes[i] + std::fabs(problem.bias[o]) + std::fabs(problem.residual[i]);
    const double bound = (products + 4) * 0x1p-24 * size + precision * 1.04 * magnitudes[i];
    ASSERT_NEAR(got[i], want, bound) << "at " << i << " by " << kernel->implementation();
  }
}

std::string NameOf(const ::testing::TestParamInfo<NeonConvolutionTest::ParamType>& info) {
  const std::vector<std::string> rows = {"f32", "f16weights", "f16arithmetic"};
  return std::get<0>(info.param).name + "_" + rows[static_cast<size_t>(std::get<1>(info.param))];
}

INSTANTIATE_TEST_SUITE_P(Cases, NeonConvolutionTest,
                         ::testing::Combine(::testing::ValuesIn(Cases()),
                                            ::testing::Values(Row::kFloat32, Row::kHalfWeights,
                                                              Row::kHalfArithmetic)),
                         NameOf);

// A matrix of halves and the product with it by one row of the table.
struct Matrix {
  int64_t n, k;
  std::vector<uint16_t> halves;
  MatMulSpec spec;

  Matrix(int64_t columns, int64_t length, uint32_t seed) : n(columns), k(length) {
    Random random(seed);
    for (float w : random.Reals(n * k, -0.1f, 0.1f)) halves.push_back(FloatToHalf(w));
    spec.n = n;
    spec.k = k;
    spec.sum.weights_type = ElementType::kFloat16;
  }
  std::vector<float> Times(const std::vector<float>& lhs, bool half_arithmetic) {
    spec.m = static_cast<int64_t>(lhs.size()) / k;
    spec.sum.weights = halves.data();
    const PreparedPtr kernel = PrepareRow(MatMulKernels(), half_arithmetic, spec);
    EXPECT_NE(kernel, nullptr);
    return kernel == nullptr ? std::vector<float>{} : RunOn(*kernel, lhs, {}, spec.m * n);
  }
};

std::vector<float> RowOf(const std::vector<float>& matrix, int64_t row, int64_t length) {
  return {matrix.begin() + row * length, matrix.begin() + (row + 1) * length};
}

void ExpectSameBits(const std::vector<float>& got, const std::vector<float>& want) {
  ASSERT_EQ(got.size(), want.size());
  EXPECT_EQ(std::memcmp(got.data(), want.data(), got.size() * sizeof(float)), 0);
}

class NeonMatMulTest : public ::testing::TestWithParam<int64_t> {};

TEST_P(NeonMatMulTest, ARowDoesNotDependOnTheOthers) {
  for (const bool half : {false, true}) {
    if (half && (DetectCpuFeatures() & kNeonFp16) == 0) continue;
    for (const int64_t n : {1, 7, 8, 9, 35, 64}) {
      Matrix matrix(n, 147, static_cast<uint32_t>(n));
      Random random(static_cast<uint32_t>(GetParam() * 100 + n));
      const std::vector<float> lhs = random.Reals(GetParam() * matrix.k, -3.0f, 3.0f);
      const std::vector<float> all = matrix.Times(lhs, half);
      for (int64_t row = 0; row < GetParam(); ++row) {
        ExpectSameBits(RowOf(all, row, n), matrix.Times(RowOf(lhs, row, matrix.k), half));
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Rows, NeonMatMulTest, ::testing::Values(1, 2, 3, 4, 5, 7, 8, 9, 19, 70),
                         ::testing::PrintToStringParamName());

class NeonHalfTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if ((DetectCpuFeatures() & kNeonFp16) == 0) GTEST_SKIP() << "no float16 arithmetic";
  }
};

TEST_F(NeonHalfTest, SamplesWithoutAFiniteBoundAreSummedInFloat32) {
  constexpr int64_t kRows = 12, kLength = 130, kColumns = 21;
  Matrix matrix(kColumns, kLength, 5);
  Random random(6);
  std::vector<float> lhs = random.Reals(kRows * kLength);
  const std::vector<float> before = matrix.Times(lhs, true);
  lhs[1 * kLength + 5] = NAN;
  lhs[4 * kLength + 129] = INFINITY;
  lhs[9 * kLength] = -INFINITY;
  const std::vector<float> got = matrix.Times(lhs, true);
  const std::vector<float> exact = matrix.Times(lhs, false);
  for (int64_t row = 0; row < kRows; ++row) {
    SCOPED_TRACE("row " + std::to_string(row));
    const bool special = row == 1 || row == 4 || row == 9;
    ExpectSameBits(RowOf(got, row, kColumns), RowOf(special ? exact : before, row, kColumns));
  }
  EXPECT_TRUE(std::isnan(got[1 * kColumns]));
  EXPECT_TRUE(std::isinf(got[4 * kColumns]));
}

TEST_F(NeonHalfTest, AnImageIsDecidedByItself) {
  const Case c{"images", 3, 16, 12, 1, {6, 6}, {3, 3}, {1, 1}, {1, 1}, {1, 1}, {1, 1}};
  Problem problem(c, true);
  const PreparedPtr half = PrepareRow(ConvolutionKernels(), true, problem.spec);
  const PreparedPtr exact = PrepareRow(ConvolutionKernels(), false, problem.spec);
  ASSERT_TRUE(half != nullptr && exact != nullptr);
  const std::vector<float> before = RunOn(*half, problem.src, problem.residual, problem.count());
  problem.src[6 * 6 * 16 + 77] = INFINITY;  // in image 1
  const std::vector<float> got = RunOn(*half, problem.src, problem.residual, problem.count());
  const std::vector<float> want = RunOn(*exact, problem.src, problem.residual, problem.count());
  const int64_t image = problem.count() / 3;
  ExpectSameBits(RowOf(got, 0, image), RowOf(before, 0, image));
  ExpectSameBits(RowOf(got, 1, image), RowOf(want, 1, image));
  ExpectSameBits(RowOf(got, 2, image), RowOf(before, 2, image));
}

// The worst that the bound allows: equal weights, every product of one sign, all of the largest
// size. Sums of a run are then as large as they can be, and so is the answer.
TEST_F(NeonHalfTest, NoFiniteSampleOverflows) {
  for (const int64_t k : {16, 63, 64, 65, 128, 200}) {
    for (const float weight : {65504.0f, 1000.0f, 1.0f, 0.015f, 6e-8f}) {
      Matrix matrix(9, k, 1);
      std::fill(matrix.halves.begin(), matrix.halves.end(), FloatToHalf(weight));
      const double stored = HalfToFloat(FloatToHalf(weight));
      for (const float size : {1e-30f, 1e-5f, 1.0f, 255.0f, 65504.0f, 65520.0f, 1e9f, 1e25f}) {
        const std::vector<float> lhs(static_cast<size_t>(3 * k), -size);
        const double want = -static_cast<double>(k) * size * stored;
        for (const float value : matrix.Times(lhs, true)) {
          ASSERT_NEAR(value, want, std::fabs(want) * 65 * 0x1p-11)
              << k << " products of " << size << " and " << weight;
        }
      }
    }
  }
}

// Small samples keep the precision of large ones: float16's subnormal numbers are not reached.
TEST_F(NeonHalfTest, PrecisionDoesNotDependOnTheSizeOfASample) {
  Matrix matrix(16, 96, 3);
  Random random(4);
  std::vector<float> lhs = random.Reals(5 * 96);
  const std::vector<float> before = matrix.Times(lhs, true);
  for (float& x : lhs) x *= 0x1p-20f;
  std::vector<float> got = matrix.Times(lhs, true);
  for (float& y : got) y *= 0x1p20f;
  ExpectSameBits(got, before);
}

TEST(NeonHalfSourceTest, ScalesAreTheLargestPowersThatStaySafe) {
  using neon::ScaleOf;
  EXPECT_EQ(ScaleOf(1.0f, 1.0f).scale, 0x1p14f);
  EXPECT_EQ(ScaleOf(1.0f, 1.0f).unscale, 0x1p-14f);
  EXPECT_EQ(ScaleOf(1.0f, 0.001f).scale, 0x1p14f);  // the source itself must fit float16
  EXPECT_EQ(ScaleOf(32767.0f, 1.0f).scale, 1.0f);
  EXPECT_EQ(ScaleOf(32768.0f, 1.0f).scale, 0.5f);
  EXPECT_EQ(ScaleOf(0.0f, 3.0f).scale, 1.0f);
  for (const float left : {NAN, INFINITY}) {
    EXPECT_EQ(ScaleOf(left, 1.0f).unscale, 0.0f);
    EXPECT_EQ(ScaleOf(1.0f, left).unscale, 0.0f);
  }
  EXPECT_EQ(ScaleOf(3e38f, 1e6f).unscale, 0.0f);  // the power would leave float32
  EXPECT_EQ(ScaleOf(1e-44f, 1.0f).scale, 0x1p126f);
  EXPECT_EQ(ScaleOf(1e-44f, 1.0f).unscale, 0x1p-126f);
}

TEST(NeonPackingTest, HalfWeightsTakeHalfTheMemoryAndAreSharedByBothArithmetics) {
  const Case c{"packing", 1, 16, 24, 1, {4, 4}, {3, 3}, {1, 1}, {1, 1}, {1, 1}, {1, 1}};
  Problem half(c, true), full(c, false);
  half.spec.sum.weights_id = full.spec.sum.weights_id = 7;
  PackedWeights packed, packed_full;
  ASSERT_NE(PrepareRow(ConvolutionKernels(), false, full.spec, &packed_full), nullptr);
  EXPECT_EQ(packed_full.bytes(), 64u + 9 * 16 * 24 * 4);
  const PreparedPtr one = PrepareRow(ConvolutionKernels(), false, half.spec, &packed);
  ASSERT_NE(one, nullptr);
  EXPECT_EQ(one->packed_bytes(), 64u + 9 * 16 * 24 * 2);
  EXPECT_EQ(one->implementation(), "neon/convolution_f32:f16_weights");
  half.spec.src.dims[0] = half.spec.dst.dims[0] = 4;  // another batch size
  ASSERT_NE(PrepareRow(ConvolutionKernels(), false, half.spec, &packed), nullptr);
  if (const PreparedPtr same = PrepareRow(ConvolutionKernels(), true, half.spec, &packed)) {
    EXPECT_EQ(same->implementation(), "neon/convolution_f16");
  }
  EXPECT_EQ(packed.bytes(), one->packed_bytes());
}

TEST(NeonFinishTest, EveryActivationFollowsItsDefinition) {
  // A 1x1 convolution by the identity leaves activation(src + bias + residual).
  constexpr int64_t kChannels = 11;
  std::vector<float> identity(kChannels * kChannels, 0.0f);
  for (int64_t i = 0; i < kChannels; ++i) identity[static_cast<size_t>(i * (kChannels + 1))] = 1.0f;
  const std::vector<float> bias(kChannels, 0.125f);
  Random random(11);
  std::vector<float> lhs = random.Reals(50 * kChannels, -12.0f, 12.0f);
  const std::vector<float> residual = random.Reals(50 * kChannels);
  for (int kind = 0; kind <= static_cast<int>(Activation::Kind::kElu); ++kind) {
    MatMulSpec spec{.m = 50, .n = kChannels, .k = kChannels, .sum = {}};
    spec.sum.weights = identity.data();
    spec.sum.bias = bias;
    spec.sum.residual = true;
    spec.sum.activation = {static_cast<Activation::Kind>(kind), 0.3f, 1.5f};
    const PreparedPtr kernel = PrepareRow(MatMulKernels(), false, spec);
    ASSERT_NE(kernel, nullptr);
    const std::vector<float> apart = RunOn(*kernel, lhs, residual, 50 * kChannels);
    for (size_t i = 0; i < apart.size(); ++i) {
      const float x = lhs[i] + 0.125f + residual[i];
      const float want = Activate(spec.sum.activation, x);
      ASSERT_NEAR(apart[i], want, 5e-7 * (1 + std::fabs(want))) << "kind " << kind << " of " << x;
    }
    std::vector<float> in_place = residual;
    Sequential sequential;
    testing::Run(*kernel, {lhs.data(), in_place.data()}, {in_place.data()}, sequential);
    ExpectSameBits(in_place, apart);
  }
}

TEST(NeonFinishTest, ActivationsOfSpecialNumbersAreTheReferences) {
  const std::vector<float> one = {1.0f};
  const std::vector<float> special = {NAN,    INFINITY, -INFINITY, 0.0f,   1e-40f,  88.0f,
                                      -88.0f, 89.5f,    -89.5f,    104.0f, -104.0f, 1e30f};
  for (const Activation::Kind kind :
       {Activation::Kind::kRelu, Activation::Kind::kClip, Activation::Kind::kLeakyRelu,
        Activation::Kind::kSigmoid, Activation::Kind::kTanh, Activation::Kind::kElu}) {
    MatMulSpec spec{.m = static_cast<int64_t>(special.size()), .n = 1, .k = 1, .sum = {}};
    spec.sum.weights = one.data();
    spec.sum.activation = {kind, 0.25f, 6.0f};
    const PreparedPtr kernel = PrepareRow(MatMulKernels(), false, spec);
    ASSERT_NE(kernel, nullptr);
    const std::vector<float> got = RunOn(*kernel, special, {}, spec.m);
    for (size_t i = 0; i < got.size(); ++i) {
      const float want = Activate(spec.sum.activation, special[i]);
      if (std::isfinite(want)) {
        EXPECT_NEAR(got[i], want, 5e-7 * std::fabs(want) + 1e-38) << special[i];
      } else {
        EXPECT_EQ(std::isnan(got[i]), std::isnan(want)) << special[i];
        EXPECT_EQ(std::isinf(got[i]), std::isinf(want)) << special[i];
      }
    }
  }
}

TEST(NeonSpecTest, RefusesWhatItDoesNotServe) {
  const Case c{"refused", 1, 8, 8, 1, {4, 4}, {3, 3}, {1, 1}, {1, 1}, {1, 1}, {1, 1}};
  Problem problem(c, false);
  ASSERT_NE(PrepareRow(ConvolutionKernels(), false, problem.spec), nullptr);
  EXPECT_EQ(PrepareRow(ConvolutionKernels(), true, problem.spec), nullptr) << "float32 weights";
  ConvolutionSpec row_major = problem.spec;
  row_major.src.layout = row_major.dst.layout = Layout::kRowMajor;
  EXPECT_EQ(PrepareRow(ConvolutionKernels(), false, row_major), nullptr);
  MatMulSpec computed{.m = 2, .n = 2, .k = 2, .sum = {}};
  EXPECT_EQ(PrepareRow(MatMulKernels(), false, computed), nullptr) << "no constant weights";
}

}  // namespace
}  // namespace fourfold::kernels
