#include "kernels/eltwise.h"

#include <cmath>
#include <numbers>

#include "testing.h"

namespace fourfold::kernels {
namespace {

using Function = EltwiseSpec::Function;
using Kind = Activation::Kind;
using testing::Random;

// Each function again in double.
double InDouble(const EltwiseSpec& spec, double x) {
  const double alpha = spec.activation.alpha, beta = spec.activation.beta;
  switch (spec.function) {
    case Function::kAbs: return std::fabs(x);
    case Function::kAcos: return std::numbers::pi / 2 - std::asin(x);
    case Function::kAcosh: return std::log(x + std::sqrt(x * x - 1));
    case Function::kAsin: return std::atan2(x, std::sqrt(1 - x * x));
    case Function::kAsinh: return x < 0 ? -InDouble(spec, -x) : std::log(x + std::sqrt(x * x + 1));
    case Function::kAtan: return std::atan2(x, 1.0);
    case Function::kAtanh: return std::log((1 + x) / (1 - x)) / 2;
    case Function::kCeil: return std::ceil(x);
    case Function::kCelu:
      return std::max(x, 0.0) + std::min(0.0, alpha * (std::exp(x / alpha) - 1));
    case Function::kCos: return std::sin(x + std::numbers::pi / 2);
    case Function::kCosh: return (std::exp(x) + std::exp(-x)) / 2;
    case Function::kErf: return std::erf(x);
    case Function::kExp: return std::exp(x);
    case Function::kFloor: return std::floor(x);
    case Function::kGelu: return x / 2 * (1 + std::erf(x / std::sqrt(2.0)));
    case Function::kGeluTanh: {
      const double cubic = std::sqrt(2 / std::numbers::pi) * (x + 0.044715 * x * x * x);
      return x / 2 * (1 + std::tanh(cubic));
    }
    case Function::kHardSigmoid: return std::min(std::max(alpha * x + beta, 0.0), 1.0);
    case Function::kLog: return std::log(x);
    case Function::kMish: return x * std::tanh(std::log1p(std::exp(x)));
    case Function::kNeg: return -x;
    case Function::kReciprocal: return 1 / x;
    case Function::kRound: return std::nearbyint(x);
    case Function::kSelu: return x > 0 ? beta * x : beta * (alpha * std::exp(x) - alpha);
    case Function::kShrink: return x < -beta ? x + alpha : x > beta ? x - alpha : 0;
    case Function::kSign: return (x > 0) - (x < 0);
    case Function::kSin: return std::cos(x - std::numbers::pi / 2);
    case Function::kSinh: return (std::exp(x) - std::exp(-x)) / 2;
    case Function::kSoftplus: return std::log1p(std::exp(x));
    case Function::kSoftsign: return x / (1 + std::fabs(x));
    case Function::kSqrt: return std::sqrt(x);
    case Function::kTan: return std::sin(x) / std::cos(x);
    case Function::kThresholdedRelu: return x > alpha ? x : 0;
    default: break;
  }
  switch (spec.activation.kind) {
    case Kind::kNone: return x;
    case Kind::kRelu: return std::max(x, 0.0);
    case Kind::kClip: return std::clamp(x, alpha, beta);
    case Kind::kLeakyRelu: return x < 0 ? alpha * x : x;
    case Kind::kSigmoid: return 1 / (1 + std::exp(-x));
    case Kind::kTanh: return std::tanh(x);
    case Kind::kHardSwish: return x * std::clamp(x / 6 + 0.5, 0.0, 1.0);
    case Kind::kSwish: return x / (1 + std::exp(-x));
    case Kind::kElu: return x < 0 ? alpha * (std::exp(x) - 1) : x;
  }
  return 0;
}

std::vector<EltwiseSpec> Functions() {
  std::vector<EltwiseSpec> specs;
  for (int f = static_cast<int>(Function::kAbs); f < static_cast<int>(Function::kTable); ++f) {
    specs.push_back(
        {.function = static_cast<Function>(f), .activation = {Kind::kNone, 0.2f, 0.5f}});
  }
  for (int k = 0; k <= static_cast<int>(Kind::kElu); ++k) {
    specs.push_back(
        {.function = Function::kActivation, .activation = {static_cast<Kind>(k), 0.3f, 1.5f}});
  }
  return specs;
}

// Where a function is defined, away from its poles.
std::pair<float, float> Domain(Function function) {
  switch (function) {
    case Function::kLog:
    case Function::kSqrt:
    case Function::kReciprocal: return {0.1f, 8.0f};
    case Function::kAcosh: return {1.1f, 8.0f};
    case Function::kAcos:
    case Function::kAsin:
    case Function::kAtanh: return {-0.9f, 0.9f};
    case Function::kTan: return {-1.4f, 1.4f};
    default: return {-8.0f, 8.0f};
  }
}

class EltwiseTest : public ::testing::TestWithParam<int64_t> {};

TEST_P(EltwiseTest, EveryFunctionEqualsItsDefinition) {
  Random random(static_cast<uint32_t>(GetParam()));
  for (EltwiseSpec spec : Functions()) {
    SCOPED_TRACE("function " + std::to_string(static_cast<int>(spec.function)) + " activation " +
                 std::to_string(static_cast<int>(spec.activation.kind)));
    spec.count = GetParam();
    const auto [low, high] = Domain(spec.function);
    const std::vector<float> src = random.Reals(spec.count, low, high);
    const std::vector<float> got =
        testing::ExpectEnginesAgree<float>(EltwiseKernels(), spec, {src.data()}, spec.count, 1e-5);
    for (size_t i = 0; i < got.size(); ++i) {
      const double want = InDouble(spec, src[i]);
      ASSERT_NEAR(got[i], want, 1e-5 * (1 + std::fabs(want))) << src[i];
      ASSERT_EQ(got[i], Evaluate(spec, src[i])) << "the loops' shortcuts differ from Evaluate";
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Lengths, EltwiseTest, ::testing::Values(1, 15, 16, 17, 35, 50001),
                         ::testing::PrintToStringParamName());

TEST(EltwiseTableTest, EntriesQuantizeTheFunctionOfEachStoredValue) {
  const EltwiseSpec relu{.function = Function::kActivation, .activation = {Kind::kRelu, 0, 0}};
  const EltwiseSpec table =
      MakeTable(relu, ElementType::kInt8, {0.5f, -10}, ElementType::kUint8, {0.25f, 3});
  EXPECT_EQ(table.function, Function::kTable);
  EXPECT_EQ(table.table[static_cast<uint8_t>(-128)], 3);    // negative: the zero point
  EXPECT_EQ(table.table[static_cast<uint8_t>(-9)], 3 + 2);  // 0.5 real, 2 steps
  EXPECT_EQ(table.table[127], 255);                         // 68.5 real: saturated
}

TEST(EltwiseTableTest, LooksUpEveryByte) {
  EltwiseSpec spec{.function = Function::kTable, .count = 100003, .activation = {}};
  for (size_t i = 0; i < 256; ++i) spec.table[i] = static_cast<uint8_t>(i * 167 + 13);
  Random random(3);
  const std::vector<uint8_t> src = random.Integers<uint8_t>(spec.count);
  const std::vector<uint8_t> got =
      testing::ExpectEnginesAgree<uint8_t>(EltwiseKernels(), spec, {src.data()}, spec.count, 0);
  for (size_t i = 0; i < got.size(); ++i) ASSERT_EQ(got[i], spec.table[src[i]]);
}

}  // namespace
}  // namespace fourfold::kernels
