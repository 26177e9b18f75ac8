#include <cmath>

#include "kernels/binary.h"
#include "kernels/convert.h"
#include "kernels/eltwise.h"
#include "kernels/quantize.h"
#include "kernels/softmax.h"
#include "testing.h"

// The element-wise rows of NEON by themselves; integer results are the reference's bytes.
namespace fourfold::kernels {
namespace {

using testing::Random;

template <typename Spec>
PreparedPtr Neon(std::span<const Kernel<Spec>> table, const Spec& spec) {
  return PrepareFirst(table, spec, {.features = DetectCpuFeatures(), .threads = 3}, "neon");
}
template <typename Spec>
PreparedPtr Reference(std::span<const Kernel<Spec>> table, const Spec& spec) {
  return PrepareFirst(table, spec, {}, "reference");
}

// What a kernel writes, at an odd address, by three threads.
template <typename T>
std::vector<T> Result(const PreparedPtr& kernel, const std::vector<const void*>& inputs,
                      int64_t count) {
  if (kernel == nullptr) {
    ADD_FAILURE() << "refused";
    return {};
  }
  testing::Guarded<T> dst(count);
  testing::ThreeThreads three;
  testing::Run(*kernel, inputs, {dst.data()}, three);
  EXPECT_TRUE(dst.intact()) << kernel->implementation() << " wrote outside of its output";
  return dst.values();
}

template <typename T>
void ExpectSameBytes(const std::vector<T>& got, const std::vector<T>& want) {
  ASSERT_EQ(got.size(), want.size());
  for (size_t i = 0; i < got.size(); ++i) {
    ASSERT_EQ(std::memcmp(&got[i], &want[i], sizeof(T)), 0)
        << "at " << i << ": " << +got[i] << ", wanted " << +want[i];
  }
}

class NeonRowTest : public ::testing::TestWithParam<int64_t> {};

INSTANTIATE_TEST_SUITE_P(Lengths, NeonRowTest,
                         ::testing::Values(1, 3, 4, 5, 7, 8, 9, 11, 15, 16, 17, 35, 67, 20011),
                         ::testing::PrintToStringParamName());

// Ties, saturation, NaN, infinities, subnormal numbers and both zeros among random values.
std::vector<float> Values(Random& random, int64_t count, float size) {
  std::vector<float> values = random.Reals(count, -size, size);
  const std::vector<float> special = {0.5f,  1.5f,     -0.5f,     -2.5f,  NAN,  -0.0f,
                                      1e38f, INFINITY, -INFINITY, 1e-42f, 3e9f, -3e9f};
  for (size_t i = 0; i < special.size() && i * 3 < values.size(); ++i) values[i * 3] = special[i];
  return values;
}

template <typename T>
void ExpectQuantizedLikeTheReference(int64_t length, ElementType type) {
  Random random(static_cast<uint32_t>(length));
  const std::vector<float> src = Values(random, 2 * length, 300.0f);
  for (const QuantParams params : {QuantParams{1.0f, 0}, QuantParams{0.37f, 100},
                                   QuantParams{2.5f, -77}, QuantParams{1e-3f, 255}}) {
    const QuantizeSpec spec{.outer = 2,
                            .channels = 1,
                            .inner = length,
                            .src_type = ElementType::kFloat32,
                            .dst_type = type,
                            .params = {params}};
    const auto quantized = Result<T>(Neon(QuantizeKernels(), spec), {src.data()}, 2 * length);
    ExpectSameBytes(quantized,
                    Result<T>(Reference(QuantizeKernels(), spec), {src.data()}, 2 * length));
    QuantizeSpec back = spec;
    std::swap(back.src_type, back.dst_type);
    ExpectSameBytes(
        Result<float>(Neon(DequantizeKernels(), back), {quantized.data()}, 2 * length),
        Result<float>(Reference(DequantizeKernels(), back), {quantized.data()}, 2 * length));
  }
}

TEST_P(NeonRowTest, QuantizesLikeTheReference) {
  ExpectQuantizedLikeTheReference<uint8_t>(GetParam(), ElementType::kUint8);
  ExpectQuantizedLikeTheReference<int8_t>(GetParam(), ElementType::kInt8);
}

TEST_P(NeonRowTest, DequantizesInt32LikeTheReference) {
  Random random(static_cast<uint32_t>(GetParam()));
  const QuantizeSpec spec{.inner = GetParam(),
                          .src_type = ElementType::kInt32,
                          .dst_type = ElementType::kFloat32,
                          .params = {{0.01f, 7}}};
  const auto src = random.Integers<int32_t>(GetParam(), -2000000000, 2000000000);
  ExpectSameBytes(Result<float>(Neon(DequantizeKernels(), spec), {src.data()}, GetParam()),
                  Result<float>(Reference(DequantizeKernels(), spec), {src.data()}, GetParam()));
}

TEST_P(NeonRowTest, DynamicQuantizationHasTheReferencesRangesAndBytes) {
  constexpr int64_t kSamples = 4;
  const int64_t length = GetParam();
  Random random(static_cast<uint32_t>(length));
  std::vector<float> src = random.Reals(kSamples * length, -2.0f, 5.0f);
  for (int64_t i = 0; i < length; ++i) src[static_cast<size_t>(i)] = -0.0f;  // sample 0: zeros
  for (int64_t i = length; i < 2 * length; ++i) src[static_cast<size_t>(i)] -= 6.0f;  // negative
  src[static_cast<size_t>(3 * length)] = NAN;
  // A signalling NaN must not erase what was found before it.
  const uint32_t signalling = 0x7F800001u;
  std::memcpy(&src[static_cast<size_t>(3 * length + length / 2)], &signalling, sizeof(signalling));
  const DynamicQuantizeSpec spec{.samples = kSamples, .elements = length};
  const auto run = [&](const PreparedPtr& kernel) {
    EXPECT_NE(kernel, nullptr);
    testing::Guarded<uint8_t> dst(kSamples * length);
    testing::Guarded<QuantParams> params(kSamples);
    testing::ThreeThreads three;
    testing::Run(*kernel, {src.data()}, {dst.data(), params.data()}, three);
    EXPECT_TRUE(dst.intact() && params.intact());
    return std::pair(dst.values(), params.values());
  };
  const auto got = run(Neon(DynamicQuantizeKernels(), spec));
  const auto want = run(Reference(DynamicQuantizeKernels(), spec));
  EXPECT_EQ(got.second, want.second);
  ExpectSameBytes(got.first, want.first);
}

TEST_P(NeonRowTest, TablesLookUpEveryByte) {
  EltwiseSpec spec{
      .function = EltwiseSpec::Function::kTable, .count = GetParam(), .activation = {}};
  for (size_t i = 0; i < 256; ++i) spec.table[i] = static_cast<uint8_t>(i * 167 + 13);
  std::vector<uint8_t> src(static_cast<size_t>(GetParam()));
  for (size_t i = 0; i < src.size(); ++i) src[i] = static_cast<uint8_t>(i * 7 + 3);
  const auto got = Result<uint8_t>(Neon(EltwiseKernels(), spec), {src.data()}, GetParam());
  for (size_t i = 0; i < got.size(); ++i) ASSERT_EQ(got[i], spec.table[src[i]]) << i;
}

template <typename A, typename B, typename T>
void ExpectBinaryLikeTheReference(BinarySpec spec, ElementType a_type, ElementType b_type,
                                  ElementType dst_type) {
  spec.a.type = a_type;
  spec.b.type = b_type;
  spec.dst.type = dst_type;
  Random random(static_cast<uint32_t>(ElementCount(spec.dst.dims)));
  const auto a = random.Integers<A>(ElementCount(spec.a.dims));
  const auto b = random.Integers<B>(ElementCount(spec.b.dims));
  const int64_t count = ElementCount(spec.dst.dims);
  for (const auto operation : {BinarySpec::Operation::kAdd, BinarySpec::Operation::kMul}) {
    spec.operation = operation;
    spec.a_params = {0.25f, 3};
    spec.b_params = {random.Real(0.01f, 0.5f), -9};
    // Coarse enough for ties, and saturation of both sides.
    spec.dst_params = {operation == BinarySpec::Operation::kAdd ? 0.5f : 4.0f, 21};
    ExpectSameBytes(Result<T>(Neon(BinaryKernels(), spec), {a.data(), b.data()}, count),
                    Result<T>(Reference(BinaryKernels(), spec), {a.data(), b.data()}, count));
  }
}

TEST_P(NeonRowTest, AddsAndMultipliesIntegersLikeTheReference) {
  constexpr ElementType kU = ElementType::kUint8, kS = ElementType::kInt8;
  const int64_t n = GetParam();
  BinarySpec spec;
  spec.dst.dims = {2, n};
  for (const auto& [a, b] :
       {std::pair(Dims{2, n}, Dims{2, n}), std::pair(Dims{2, n}, Dims{1, n}),
        std::pair(Dims{2, n}, Dims{2, 1}), std::pair(Dims{1, 1}, Dims{2, n})}) {
    spec.a.dims = a;
    spec.b.dims = b;
    ExpectBinaryLikeTheReference<uint8_t, uint8_t, uint8_t>(spec, kU, kU, kU);
    ExpectBinaryLikeTheReference<uint8_t, int8_t, int8_t>(spec, kU, kS, kS);
    ExpectBinaryLikeTheReference<int8_t, uint8_t, uint8_t>(spec, kS, kU, kU);
    ExpectBinaryLikeTheReference<int8_t, int8_t, int8_t>(spec, kS, kS, kS);
  }
}

TEST_P(NeonRowTest, ExponentialsKeepSevenDigits) {
  using Function = EltwiseSpec::Function;
  using Kind = Activation::Kind;
  Random random(static_cast<uint32_t>(GetParam()));
  std::vector<EltwiseSpec> specs = {{.function = Function::kExp, .activation = {}}};
  for (const Kind kind : {Kind::kSigmoid, Kind::kTanh, Kind::kSwish, Kind::kElu}) {
    specs.push_back({.function = Function::kActivation, .activation = {kind, 0.7f, 0.0f}});
  }
  for (EltwiseSpec& spec : specs) {
    spec.count = GetParam();
    std::vector<float> src = random.Reals(spec.count, -20.0f, 20.0f);
    src.back() = 1e-4f;
    const auto got = Result<float>(Neon(EltwiseKernels(), spec), {src.data()}, spec.count);
    for (size_t i = 0; i < got.size(); ++i) {
      const float want = Evaluate(spec, src[i]);
      ASSERT_NEAR(got[i], want, 6e-7 * (std::fabs(want) + 0.25)) << "of " << src[i];
    }
    Sequential sequential;
    testing::Run(*Neon(EltwiseKernels(), spec), {src.data()}, {src.data()}, sequential);
    ExpectSameBytes(src, got);
  }
}

TEST_P(NeonRowTest, SoftmaxEqualsTheDefinition) {
  Random random(static_cast<uint32_t>(GetParam()));
  const int64_t axis = std::min<int64_t>(GetParam(), 1001);
  for (const bool logarithm : {false, true}) {
    const SoftmaxSpec spec{.outer = 2, .axis = axis, .inner = 1, .logarithm = logarithm};
    std::vector<float> src = random.Reals(2 * axis, -60.0f, 900.0f);
    const auto got = Result<float>(Neon(SoftmaxKernels(), spec), {src.data()}, 2 * axis);
    for (int64_t row = 0; row < 2; ++row) {
      const float* from = src.data() + row * axis;
      const double high = *std::max_element(from, from + axis);
      double sum = 0;
      for (int64_t i = 0; i < axis; ++i) sum += std::exp(from[i] - high);
      for (int64_t i = 0; i < axis; ++i) {
        const double shifted = from[i] - high;
        const double want = logarithm ? shifted - std::log(sum) : std::exp(shifted) / sum;
        ASSERT_NEAR(got[static_cast<size_t>(row * axis + i)], want, 1e-6 * (1 + std::fabs(want)));
      }
    }
  }
}

TEST(NeonConvertTest, EveryHalfWidensAndEveryRoundingNarrowsLikeTheReference) {
  std::vector<uint16_t> halves;
  for (uint32_t bits = 0; bits < 0x10000u; ++bits) {
    const bool nan = (bits & 0x7C00u) == 0x7C00u && (bits & 0x3FFu) != 0;
    if (!nan || (bits & 0x200u) != 0) halves.push_back(static_cast<uint16_t>(bits));  // quiet ones
  }
  halves.push_back(0x3C00);
  halves.push_back(0x0001);  // past a whole number of vectors
  ConvertSpec spec{.src_type = ElementType::kFloat16,
                   .dst_type = ElementType::kFloat32,
                   .count = static_cast<int64_t>(halves.size())};
  const auto wide = Result<float>(Neon(ConvertKernels(), spec), {halves.data()}, spec.count);
  std::vector<float> between;
  for (size_t i = 0; i < wide.size(); ++i) {
    const float want = HalfToFloat(halves[i]);
    ASSERT_EQ(std::memcmp(&wide[i], &want, sizeof(float)), 0) << halves[i];
    // The half itself, half a step above (a tie), and the neighbours of the tie.
    between.push_back(want);
    if (!std::isfinite(want)) continue;
    const float step = HalfToFloat(static_cast<uint16_t>(halves[i] + 1)) - want;
    const float tie = std::isfinite(step) ? want + step / 2 : 65520.0f;
    between.insert(between.end(), {tie, std::nextafter(tie, 0.0f), std::nextafter(tie, 1e30f)});
  }
  spec = {.src_type = ElementType::kFloat32,
          .dst_type = ElementType::kFloat16,
          .count = static_cast<int64_t>(between.size())};
  const auto narrow = Result<uint16_t>(Neon(ConvertKernels(), spec), {between.data()}, spec.count);
  for (size_t i = 0; i < narrow.size(); ++i) {
    ASSERT_EQ(narrow[i], FloatToHalf(between[i])) << between[i];
  }
}

TEST(NeonRowSpecTest, LeavesToTheReferenceWhatItDoesNotServe) {
  BinarySpec strided{.a = {ElementType::kUint8, {2, 3, 4}},
                     .b = {ElementType::kUint8, {1, 3, 1}},
                     .dst = {ElementType::kUint8, {2, 3, 4}}};
  strided.a.layout = strided.b.layout = strided.dst.layout = Layout::kRowMajor;
  EXPECT_NE(Neon(BinaryKernels(), strided), nullptr);
  BinarySpec floats = strided;
  floats.a.type = floats.b.type = floats.dst.type = ElementType::kFloat32;
  EXPECT_EQ(Neon(BinaryKernels(), floats), nullptr);
  EXPECT_EQ(Neon(SoftmaxKernels(), SoftmaxSpec{.outer = 1, .axis = 4, .inner = 2}), nullptr);
  EXPECT_EQ(Neon(ConvertKernels(), ConvertSpec{.src_type = ElementType::kInt64, .count = 4}),
            nullptr);
  EXPECT_EQ(Neon(QuantizeKernels(), QuantizeSpec{.channels = 2, .inner = 4, .params = {{}}}),
            nullptr);
}

}  // namespace
}  // namespace fourfold::kernels
