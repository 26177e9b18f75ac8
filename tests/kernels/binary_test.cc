#include "kernels/binary.h"

#include <cmath>

#include "testing.h"

namespace fourfold::kernels {
namespace {

using testing::Random;
using Operation = BinarySpec::Operation;

struct Case {
  std::string name;
  Dims a, b, dst;
};

class BinaryTest : public ::testing::TestWithParam<std::tuple<Case, Layout>> {
 protected:
  BinarySpec Spec(Operation operation, ElementType a, ElementType b, ElementType dst) {
    const auto& [c, layout] = GetParam();
    return {.operation = operation,
            .a = {a, c.a, layout},
            .b = {b, c.b, layout},
            .dst = {dst, c.dst, layout},
            .a_params = {},
            .b_params = {},
            .dst_params = {},
            .activation = {}};
  }

  // Calls check(i of dst, i of a, i of b) for every element.
  template <typename Check>
  void ForAll(const Check& check) {
    const auto& [c, layout] = GetParam();
    const auto dst = Strides(c.dst, layout), a = Strides(c.a, layout), b = Strides(c.b, layout);
    for (int64_t i = 0; i < ElementCount(c.dst); ++i) {
      int64_t rest = i, at = 0, at_a = 0, at_b = 0;
      for (size_t d = c.dst.size(); d-- > 0;) {
        const int64_t index = rest % c.dst[d];
        rest /= c.dst[d];
        at += index * dst[d];
        at_a += (c.a[d] == 1 ? 0 : index) * a[d];
        at_b += (c.b[d] == 1 ? 0 : index) * b[d];
      }
      check(static_cast<size_t>(at), static_cast<size_t>(at_a), static_cast<size_t>(at_b));
    }
  }
};

double Apply(Operation operation, double a, double b) {
  switch (operation) {
    case Operation::kAdd: return a + b;
    case Operation::kSub: return a - b;
    case Operation::kMul: return a * b;
    case Operation::kDiv: return a / b;
    case Operation::kMax: return std::max(a, b);
    case Operation::kMin: return std::min(a, b);
    case Operation::kPow: return std::pow(a, b);
    default: break;
  }
  return 0;
}

TEST_P(BinaryTest, Floats) {
  const auto& [c, layout] = GetParam();
  Random random(1);
  const std::vector<float> a = random.Reals(ElementCount(c.a), 0.5f, 3.0f);
  const std::vector<float> b = random.Reals(ElementCount(c.b), 0.5f, 3.0f);
  for (const Operation operation :
       {Operation::kAdd, Operation::kSub, Operation::kMul, Operation::kDiv, Operation::kMax,
        Operation::kMin, Operation::kPow}) {
    BinarySpec spec =
        Spec(operation, ElementType::kFloat32, ElementType::kFloat32, ElementType::kFloat32);
    spec.activation = {Activation::Kind::kClip, -0.5f, 2.0f};
    const std::vector<float> got = testing::ExpectEnginesAgree<float>(
        BinaryKernels(), spec, {a.data(), b.data()}, ElementCount(c.dst), 1e-6);
    ForAll([&](size_t at, size_t at_a, size_t at_b) {
      const double want = std::clamp(Apply(operation, a[at_a], b[at_b]), -0.5, 2.0);
      ASSERT_NEAR(got[at], want, 1e-5) << static_cast<int>(operation);
    });
  }
}

template <typename T>
T RoundOnce(float value) {
  return RoundAndSaturate<T>(value, 0);
}

template <typename A, typename B, typename T, typename Fixture>
void ExpectIntegers(Fixture& fixture, BinarySpec spec, const auto& for_all) {
  (void)fixture;
  Random random(spec.operation == Operation::kAdd ? 7 : 8);
  spec.a_params = {0.25f, static_cast<int32_t>(random.Integer(0, 20))};
  spec.b_params = {random.Real(0.01f, 0.5f), static_cast<int32_t>(random.Integer(-5, 20))};
  spec.dst_params = {spec.operation == Operation::kAdd ? 0.5f : 8.0f, 5};
  const auto a = random.Integers<A>(ElementCount(spec.a.dims));
  const auto b = random.Integers<B>(ElementCount(spec.b.dims));
  const std::vector<T> got = testing::ExpectEnginesAgree<T>(
      BinaryKernels(), spec, {a.data(), b.data()}, ElementCount(spec.dst.dims), 0);
  const QuantParams pa = spec.a_params, pb = spec.b_params, pd = spec.dst_params;
  const float ra = pa.scale / pd.scale, rb = pb.scale / pd.scale;
  const auto za = static_cast<float>(pa.zero_point), zb = static_cast<float>(pb.zero_point);
  const auto zd = static_cast<float>(pd.zero_point);
  const float fixed = zd - std::fma(ra, za, rb * zb);
  for_all([&](size_t at, size_t at_a, size_t at_b) {
    float value = 0;
    if (spec.operation == Operation::kAdd) {
      value = std::fma(static_cast<float>(a[at_a]), ra,
                       std::fma(static_cast<float>(b[at_b]), rb, fixed));
    } else {
      const volatile float product =
          static_cast<float>((a[at_a] - pa.zero_point) * (b[at_b] - pb.zero_point)) *
          (pa.scale * pb.scale / pd.scale);
      value = product + zd;
    }
    ASSERT_EQ(got[at], RoundOnce<T>(value));
  });
}

TEST_P(BinaryTest, Integers) {
  const auto for_all = [this](const auto& check) { ForAll(check); };
  constexpr ElementType kU = ElementType::kUint8, kS = ElementType::kInt8;
  for (const Operation operation : {Operation::kAdd, Operation::kMul}) {
    ExpectIntegers<uint8_t, uint8_t, uint8_t>(*this, Spec(operation, kU, kU, kU), for_all);
    ExpectIntegers<int8_t, int8_t, int8_t>(*this, Spec(operation, kS, kS, kS), for_all);
    ExpectIntegers<uint8_t, int8_t, uint8_t>(*this, Spec(operation, kU, kS, kU), for_all);
    ExpectIntegers<int8_t, uint8_t, int8_t>(*this, Spec(operation, kS, kU, kS), for_all);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Cases, BinaryTest,
    ::testing::Combine(
        ::testing::Values(Case{"one", {1}, {1}, {1}}, Case{"lane15", {15}, {15}, {15}},
                          Case{"lane16", {16}, {16}, {16}}, Case{"lane17", {17}, {17}, {17}},
                          Case{"lane35", {35}, {35}, {35}},
                          Case{"equal", {2, 17, 5, 3}, {2, 17, 5, 3}, {2, 17, 5, 3}},
                          Case{"scalarb", {3, 33}, {1, 1}, {3, 33}},
                          Case{"scalara", {1, 1}, {3, 33}, {3, 33}},
                          Case{"channel", {2, 31, 4, 4}, {1, 31, 1, 1}, {2, 31, 4, 4}},
                          Case{"gate", {2, 6, 5, 5}, {2, 6, 1, 1}, {2, 6, 5, 5}},
                          Case{"both", {4, 1, 7, 1}, {1, 5, 1, 6}, {4, 5, 7, 6}},
                          Case{"big", {1, 64, 40, 41}, {1, 64, 40, 41}, {1, 64, 40, 41}}),
        ::testing::Values(Layout::kRowMajor, Layout::kChannelsLast)),
    [](const auto& info) {
      return std::get<0>(info.param).name +
             (std::get<1>(info.param) == Layout::kRowMajor ? "_nchw" : "_nhwc");
    });

// Computed once with ONNX Runtime 1.31's QLinearAdd and QLinearMul on a CPU with AVX2.
TEST(BinaryRuleTest, TiesGoToTheEvenStoredValueAfterTheZeroPoint) {
  const std::vector<uint8_t> a = {0, 1, 2, 3, 4, 5}, b = {0, 0, 0, 0, 0, 0};
  BinarySpec spec{.operation = Operation::kAdd,
                  .a = {ElementType::kUint8, {6}},
                  .b = {ElementType::kUint8, {6}},
                  .dst = {ElementType::kUint8, {6}},
                  .a_params = {0.5f, 0},
                  .b_params = {0.5f, 0},
                  .dst_params = {1.0f, 1},
                  .activation = {}};
  const auto run = [&] {
    return testing::RunEngine<uint8_t>(BinaryKernels(), "reference", spec, {a.data(), b.data()}, 6);
  };
  EXPECT_EQ(run(), (std::vector<uint8_t>{1, 2, 2, 2, 3, 4}));
  spec.operation = Operation::kMul;
  spec.b_params = {1.0f, -1};  // every b stands for 1
  EXPECT_EQ(run(), (std::vector<uint8_t>{1, 2, 2, 2, 3, 4}));
}

TEST(BinarySpecTest, IntegersHaveNoActivationAndOnlyAddAndMultiply) {
  BinarySpec spec{.operation = Operation::kSub,
                  .a = {ElementType::kUint8, {1}},
                  .b = {ElementType::kUint8, {1}},
                  .dst = {ElementType::kUint8, {1}},
                  .a_params = {},
                  .b_params = {},
                  .dst_params = {},
                  .activation = {}};
  EXPECT_EQ(PrepareFirst(BinaryKernels(), spec, {}), nullptr);
  spec.operation = Operation::kAdd;
  EXPECT_NE(PrepareFirst(BinaryKernels(), spec, {}), nullptr);
  spec.activation.kind = Activation::Kind::kRelu;
  EXPECT_EQ(PrepareFirst(BinaryKernels(), spec, {}), nullptr);
}

}  // namespace
}  // namespace fourfold::kernels
