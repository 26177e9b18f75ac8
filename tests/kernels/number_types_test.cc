// Element-wise operations of every element type.
#include <cmath>
#include <limits>

#include "kernels/binary.h"
#include "kernels/compare.h"
#include "kernels/eltwise.h"
#include "kernels/select.h"
#include "testing.h"

namespace fourfold::kernels {
namespace {

using ::testing::ElementsAre;
using ::testing::ElementsAreArray;
using Operation = BinarySpec::Operation;

template <typename T>
constexpr ElementType kTypeOf = ElementType::kBool;
template <>
constexpr ElementType kTypeOf<float> = ElementType::kFloat32;
template <>
constexpr ElementType kTypeOf<double> = ElementType::kFloat64;
template <>
constexpr ElementType kTypeOf<int8_t> = ElementType::kInt8;
template <>
constexpr ElementType kTypeOf<uint8_t> = ElementType::kUint8;
template <>
constexpr ElementType kTypeOf<int16_t> = ElementType::kInt16;
template <>
constexpr ElementType kTypeOf<uint16_t> = ElementType::kUint16;
template <>
constexpr ElementType kTypeOf<int32_t> = ElementType::kInt32;
template <>
constexpr ElementType kTypeOf<uint32_t> = ElementType::kUint32;
template <>
constexpr ElementType kTypeOf<int64_t> = ElementType::kInt64;
template <>
constexpr ElementType kTypeOf<uint64_t> = ElementType::kUint64;

// a op b of two vectors, or of a vector and one element.
template <typename A, typename B = A>
std::vector<A> Of(Operation operation, const std::vector<A>& a, const std::vector<B>& b,
                  Fault* fault = nullptr) {
  const auto count = static_cast<int64_t>(std::max(a.size(), b.size()));
  BinarySpec spec;
  spec.operation = operation;
  spec.a = {kTypeOf<A>, {static_cast<int64_t>(a.size())}};
  spec.b = {kTypeOf<B>, {static_cast<int64_t>(b.size())}};
  spec.dst = {kTypeOf<A>, {count}};
  spec.plain_integers = true;
  const PreparedPtr kernel = PrepareFirst(BinaryKernels(), spec, {});
  EXPECT_NE(kernel, nullptr);
  if (kernel == nullptr) return {};
  std::vector<A> dst(static_cast<size_t>(count));
  const void* const inputs[] = {a.data(), b.data()};
  void* const outputs[] = {dst.data()};
  Sequential sequential;
  kernel->Run({.inputs = inputs, .outputs = outputs, .parallel = &sequential, .fault = fault});
  return dst;
}

TEST(BinaryTypesTest, IntegersWrapAround) {
  EXPECT_THAT(Of<uint8_t>(Operation::kAdd, {250, 1}, {10, 2}), ElementsAre(4, 3));
  EXPECT_THAT(Of<int8_t>(Operation::kSub, {-128, 5}, {1}), ElementsAre(127, 4));
  EXPECT_THAT(Of<int16_t>(Operation::kMul, {300, -2}, {300, 7}), ElementsAre(24464, -14));
  EXPECT_THAT(Of<int32_t>(Operation::kAdd, {2147483647}, {1}),
              ElementsAre(std::numeric_limits<int32_t>::min()));
  EXPECT_THAT(Of<uint64_t>(Operation::kSub, {0}, {1}),
              ElementsAre(std::numeric_limits<uint64_t>::max()));
}

TEST(BinaryTypesTest, IntegerDivisionTruncates) {
  EXPECT_THAT(Of<int32_t>(Operation::kDiv, {7, -7, 7, -7}, {2, 2, -2, -2}),
              ElementsAre(3, -3, -3, 3));
  EXPECT_THAT(Of<uint64_t>(Operation::kDiv, {18446744073709551615ull}, {2}),
              ElementsAre(9223372036854775807ull));
  const int64_t least = std::numeric_limits<int64_t>::min();
  EXPECT_THAT(Of<int64_t>(Operation::kDiv, {least}, {-1}), ElementsAre(least));
}

TEST(BinaryTypesTest, DivisionOfIntegersByZeroIsAFault) {
  for (Operation operation : {Operation::kDiv, Operation::kMod, Operation::kRemainder}) {
    Fault fault;
    EXPECT_THAT(Of<int32_t>(operation, {4, 5}, {2, 0}, &fault)[1], 0);
    ASSERT_NE(fault.what(), nullptr);
    EXPECT_STREQ(fault.what(), "an integer is divided by zero");
  }
  Fault none;
  Of<int32_t>(Operation::kDiv, {4, 5}, {2, 1}, &none);
  EXPECT_EQ(none.what(), nullptr);
}

// Python: 7 % 3, -7 % 3, 7 % -3, -7 % -3; C: the same with the sign of the dividend.
TEST(BinaryTypesTest, ModHasTheSignOfTheDivisorAndRemainderOfTheDividend) {
  EXPECT_THAT(Of<int64_t>(Operation::kMod, {7, -7, 7, -7}, {3, 3, -3, -3}),
              ElementsAre(1, 2, -2, -1));
  EXPECT_THAT(Of<int64_t>(Operation::kRemainder, {7, -7, 7, -7}, {3, 3, -3, -3}),
              ElementsAre(1, -1, 1, -1));
  EXPECT_THAT(Of<int8_t>(Operation::kMod, {-128}, {-1}), ElementsAre(0));
  EXPECT_THAT(Of<double>(Operation::kRemainder, {-4.3, 7.2}, {2.1, -3.4}),
              ElementsAre(::testing::DoubleNear(-0.1, 1e-12), ::testing::DoubleNear(0.4, 1e-12)));
  EXPECT_THAT(Of<float>(Operation::kMod, {-5.0f, 5.0f}, {3.0f, -3.0f}), ElementsAre(1.0f, -1.0f));
}

TEST(BinaryTypesTest, ShiftsFillWithZeros) {
  EXPECT_THAT(Of<uint8_t>(Operation::kShiftLeft, {16, 4, 1, 255}, {1, 2, 3, 8}),
              ElementsAre(32, 16, 8, 0));
  EXPECT_THAT(Of<uint64_t>(Operation::kShiftRight, {16, 4, 1, 1}, {1, 2, 0, 64}),
              ElementsAre(8, 1, 1, 0));
}

TEST(BinaryTypesTest, BitsOfIntegers) {
  EXPECT_THAT(Of<int16_t>(Operation::kBitwiseAnd, {0x0F0F, -1}, {0x00FF, 12}),
              ElementsAre(0x000F, 12));
  EXPECT_THAT(Of<uint32_t>(Operation::kBitwiseOr, {0xF0}, {0x0F}), ElementsAre(0xFFu));
  EXPECT_THAT(Of<int8_t>(Operation::kBitwiseXor, {-1}, {0x0F}), ElementsAre(-16));
}

TEST(BinaryTypesTest, PowersOfTwoTypes) {
  EXPECT_THAT((Of<int32_t, uint8_t>(Operation::kPow, {2, -3, 10}, {10, 3, 0})),
              ElementsAre(1024, -27, 1));
  EXPECT_THAT((Of<int64_t, int64_t>(Operation::kPow, {1, -1, -1, 2, 0}, {-5, -5, -4, -1, 0})),
              ElementsAre(1, -1, 1, 0, 1));
  EXPECT_THAT((Of<int32_t, float>(Operation::kPow, {9, 2}, {0.5f, 3.9f})), ElementsAre(3, 14));
  EXPECT_THAT((Of<float, int64_t>(Operation::kPow, {0.5f, -2.0f}, {2, 3})),
              ElementsAre(0.25f, -8.0f));
  EXPECT_THAT((Of<double, float>(Operation::kPow, {2.0}, {0.5f})), ElementsAre(std::sqrt(2.0)));
}

TEST(BinaryTypesTest, MaximumOfRealNumbersKeepsNan) {
  const double nan = std::nan("");
  const std::vector<double> got = Of<double>(Operation::kMax, {nan, 1, 2}, {1, nan, 3});
  EXPECT_TRUE(std::isnan(got[0]));
  EXPECT_TRUE(std::isnan(got[1]));
  EXPECT_EQ(got[2], 3);
  EXPECT_THAT(Of<uint64_t>(Operation::kMax, {18446744073709551615ull}, {1}),
              ElementsAre(18446744073709551615ull));
}

TEST(BinaryTypesTest, PReluScalesNegativeElements) {
  EXPECT_THAT(Of<float>(Operation::kPRelu, {-2, 3, -0.5f}, {0.25f}),
              ElementsAre(-0.5f, 3.0f, -0.125f));
  EXPECT_THAT(Of<int32_t>(Operation::kPRelu, {-2, 3}, {4, 5}), ElementsAre(-8, 3));
}

TEST(BinaryTypesTest, HalvesAreComputedInFloat32) {
  // 2048 + 1 is no float16: half to even gives 2048; 2049 + 2 gives 2052.
  const std::vector<uint16_t> a = {FloatToHalf(2048.0f), FloatToHalf(2050.0f)};
  const std::vector<uint16_t> b = {FloatToHalf(1.0f), FloatToHalf(1.5f)};
  BinarySpec spec;
  for (TensorSpec* tensor : {&spec.a, &spec.b, &spec.dst}) *tensor = {ElementType::kFloat16, {2}};
  const std::vector<uint16_t> got =
      testing::RunEngine<uint16_t>(BinaryKernels(), "reference", spec, {a.data(), b.data()}, 2);
  EXPECT_THAT(got, ElementsAre(FloatToHalf(2048.0f), FloatToHalf(2052.0f)));
}

// Every pair of shapes that broadcast to [2, 3, 4], against index arithmetic.
TEST(BinaryTypesTest, BroadcastsAsNumpyDoes) {
  testing::Random random(7);
  const Dims dst = {2, 3, 4};
  for (int mask = 0; mask < 64; ++mask) {
    SCOPED_TRACE(mask);
    BinarySpec spec;
    spec.operation = Operation::kSub;
    spec.plain_integers = true;
    spec.dst = {ElementType::kInt32, dst};
    spec.a = spec.b = spec.dst;
    for (int d = 0; d < 3; ++d) {
      if (mask >> d & 1) spec.a.dims[static_cast<size_t>(d)] = 1;
      if (mask >> (d + 3) & 1) spec.b.dims[static_cast<size_t>(d)] = 1;
    }
    const auto a = random.Integers<int32_t>(ElementCount(spec.a.dims), -99, 99);
    const auto b = random.Integers<int32_t>(ElementCount(spec.b.dims), -99, 99);
    const auto got =
        testing::RunEngine<int32_t>(BinaryKernels(), "reference", spec, {a.data(), b.data()}, 24);
    std::vector<int32_t> want;
    const auto at = [](const Dims& dims, int64_t i, int64_t j, int64_t k) {
      return static_cast<size_t>(((dims[0] == 1 ? 0 : i) * dims[1] + (dims[1] == 1 ? 0 : j)) *
                                     dims[2] +
                                 (dims[2] == 1 ? 0 : k));
    };
    for (int64_t i = 0; i < 2; ++i) {
      for (int64_t j = 0; j < 3; ++j) {
        for (int64_t k = 0; k < 4; ++k) {
          want.push_back(a[at(spec.a.dims, i, j, k)] - b[at(spec.b.dims, i, j, k)]);
        }
      }
    }
    EXPECT_EQ(got, want);
  }
}

template <typename T>
std::vector<uint8_t> Compared(CompareSpec::Operation operation, ElementType type,
                              const std::vector<T>& a, const std::vector<T>& b) {
  const CompareSpec spec{operation,
                         type,
                         {static_cast<int64_t>(a.size())},
                         {static_cast<int64_t>(b.size())},
                         {static_cast<int64_t>(std::max(a.size(), b.size()))}};
  return testing::RunEngine<uint8_t>(CompareKernels(), "reference", spec, {a.data(), b.data()},
                                     spec.dst[0]);
}

TEST(CompareTest, NothingComparesWithNan) {
  using Compare = CompareSpec::Operation;
  const float nan = std::nanf("");
  const std::vector<float> a = {1, 2, 3, nan}, b = {2, 2, 2, nan};
  const auto of = [&](Compare operation) {
    return Compared<float>(operation, ElementType::kFloat32, a, b);
  };
  EXPECT_THAT(of(Compare::kEqual), ElementsAre(0, 1, 0, 0));
  EXPECT_THAT(of(Compare::kGreater), ElementsAre(0, 0, 1, 0));
  EXPECT_THAT(of(Compare::kGreaterOrEqual), ElementsAre(0, 1, 1, 0));
  EXPECT_THAT(of(Compare::kLess), ElementsAre(1, 0, 0, 0));
  EXPECT_THAT(of(Compare::kLessOrEqual), ElementsAre(1, 1, 0, 0));
}

TEST(CompareTest, OrdersUnsignedAndSignedIntegers) {
  EXPECT_THAT(Compared<uint64_t>(CompareSpec::Operation::kGreater, ElementType::kUint64,
                                 {18446744073709551615ull}, {1}),
              ElementsAre(1));
  EXPECT_THAT(Compared<int8_t>(CompareSpec::Operation::kGreater, ElementType::kInt8, {-1}, {1, -2}),
              ElementsAre(0, 1));
}

TEST(CompareTest, LogicOfBooleansTakesAnyByteButZeroAsTrue) {
  const std::vector<uint8_t> a = {0, 0, 1, 2}, b = {0, 1, 0, 4};
  const auto of = [&](CompareSpec::Operation operation) {
    return Compared<uint8_t>(operation, ElementType::kBool, a, b);
  };
  EXPECT_THAT(of(CompareSpec::Operation::kAnd), ElementsAre(0, 0, 0, 1));
  EXPECT_THAT(of(CompareSpec::Operation::kOr), ElementsAre(0, 1, 1, 1));
  EXPECT_THAT(of(CompareSpec::Operation::kXor), ElementsAre(0, 1, 1, 0));
  EXPECT_THAT(of(CompareSpec::Operation::kEqual), ElementsAre(1, 0, 0, 1));
}

TEST(SelectTest, BroadcastsAllThree) {
  const std::vector<uint8_t> condition = {1, 0};
  const std::vector<int64_t> a = {10, 20, 30}, b = {-1};
  const SelectSpec spec{sizeof(int64_t), {2, 1}, {3}, {}, {2, 3}};
  EXPECT_THAT(testing::RunEngine<int64_t>(SelectKernels(), "reference", spec,
                                          {condition.data(), a.data(), b.data()}, 6),
              ElementsAre(10, 20, 30, -1, -1, -1));
}

template <typename T, typename R = T>
std::vector<R> Function(EltwiseSpec::Function function, ElementType type, const std::vector<T>& src,
                        Activation activation = {}) {
  EltwiseSpec spec;
  spec.function = function;
  spec.activation = activation;
  spec.type = type;
  spec.count = static_cast<int64_t>(src.size());
  return testing::RunEngine<R>(EltwiseKernels(), "reference", spec, {src.data()}, spec.count);
}

TEST(EltwiseTypesTest, IntegersAndBooleans) {
  using F = EltwiseSpec::Function;
  EXPECT_THAT(Function<int8_t>(F::kAbs, ElementType::kInt8, {-5, 7, -128}),
              ElementsAre(5, 7, -128));
  EXPECT_THAT(Function<int64_t>(F::kNeg, ElementType::kInt64, {-5, 7}), ElementsAre(5, -7));
  EXPECT_THAT(Function<int32_t>(F::kSign, ElementType::kInt32, {-5, 0, 7}), ElementsAre(-1, 0, 1));
  EXPECT_THAT(Function<uint64_t>(F::kSign, ElementType::kUint64, {0, 1ull << 63}),
              ElementsAre(0, 1));
  EXPECT_THAT(Function<uint16_t>(F::kBitwiseNot, ElementType::kUint16, {1, 0xFF00}),
              ElementsAre(0xFFFE, 0x00FF));
  EXPECT_THAT(Function<uint8_t>(F::kNot, ElementType::kBool, {0, 1, 9}), ElementsAre(1, 0, 0));
  EXPECT_THAT(Function<int16_t>(F::kActivation, ElementType::kInt16, {-3, 4},
                                {Activation::Kind::kRelu, 0, 0}),
              ElementsAre(0, 4));
  EXPECT_THAT(Function<int8_t>(F::kActivation, ElementType::kInt8, {-128, -3, 5, 127},
                               {Activation::Kind::kClip, -4, 1e9f}),
              ElementsAre(-4, -3, 5, 127));
}

TEST(EltwiseTypesTest, DoublesKeepTheirPrecision) {
  using F = EltwiseSpec::Function;
  const std::vector<double> x = {0.1, -1.3, 2.7};
  const auto near = [](double want) { return ::testing::DoubleNear(want, 1e-14); };
  EXPECT_THAT(Function<double>(F::kErf, ElementType::kFloat64, x),
              ElementsAre(near(std::erf(0.1)), near(std::erf(-1.3)), near(std::erf(2.7))));
  EXPECT_THAT(Function<double>(F::kGelu, ElementType::kFloat64, x),
              ElementsAre(near(0.05 * std::erfc(-0.1 / std::sqrt(2.0))),
                          near(-0.65 * std::erfc(1.3 / std::sqrt(2.0))),
                          near(1.35 * std::erfc(-2.7 / std::sqrt(2.0)))));
  EXPECT_THAT(Function<double>(F::kActivation, ElementType::kFloat64, x,
                               {Activation::Kind::kSigmoid, 0, 0}),
              ElementsAre(near(1 / (1 + std::exp(-0.1))), near(1 / (1 + std::exp(1.3))),
                          near(1 / (1 + std::exp(-2.7)))));
}

TEST(EltwiseTypesTest, FindsInfinitiesOfEitherSignAndNan) {
  using F = EltwiseSpec::Function;
  const float infinity = std::numeric_limits<float>::infinity();
  const std::vector<float> x = {1, -infinity, infinity, std::nanf("")};
  const auto is_infinite = [&](float negative, float positive) {
    return Function<float, uint8_t>(F::kIsInf, ElementType::kFloat32, x,
                                    {Activation::Kind::kNone, negative, positive});
  };
  EXPECT_THAT(is_infinite(1, 1), ElementsAre(0, 1, 1, 0));
  EXPECT_THAT(is_infinite(1, 0), ElementsAre(0, 1, 0, 0));
  EXPECT_THAT(is_infinite(0, 1), ElementsAre(0, 0, 1, 0));
  EXPECT_THAT((Function<float, uint8_t>(F::kIsNan, ElementType::kFloat32, x)),
              ElementsAre(0, 0, 0, 1));
}

}  // namespace
}  // namespace fourfold::kernels
