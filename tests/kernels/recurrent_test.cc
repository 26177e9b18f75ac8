#include "kernels/recurrent.h"

#include <cmath>

#include "kernels/composed/composed.h"
#include "kernels/composed/gate_functions.h"
#include "tests/kernels/testing.h"

namespace fourfold::kernels {
namespace {

using testing::Error;
using testing::Fenced;
using testing::Guarded;
using testing::Random;
using Function = RecurrentSpec::Function;
using Kind = RecurrentSpec::Kind;

constexpr Kind kKinds[] = {Kind::kRnn, Kind::kLstm, Kind::kGru};
constexpr Arithmetic kArithmetics[] = {Arithmetic::kFloat, Arithmetic::kStaticInt8,
                                       Arithmetic::kDynamicInt8};

RecurrentSpec Layer(Kind kind, int64_t steps, int64_t batch, int64_t inputs, int64_t hidden) {
  RecurrentSpec spec;
  spec.kind = kind;
  spec.steps = steps;
  spec.batch = batch;
  spec.inputs = inputs;
  spec.hidden = hidden;
  spec.functions = {{{Function::kSigmoid}, {Function::kTanh}, {Function::kTanh}}};
  if (kind == Kind::kRnn) spec.functions[0] = {Function::kTanh};
  return spec;
}

// Random operands of a spec; what is wanted of it is changed before Run.
struct Operands {
  RecurrentSpec spec;
  std::vector<float> x, weights, recurrence, scale_w, scale_r, bias, h, c, peepholes;
  std::vector<uint8_t> x_stored;
  std::vector<int8_t> weights_stored, recurrence_stored;
  std::vector<int32_t> lengths;
  bool constant = true;

  Operands(const RecurrentSpec& layer, Random& random) : spec(layer) {
    const int64_t rows = GateCount(spec.kind) * spec.hidden;
    const auto width = static_cast<float>(std::sqrt(static_cast<double>(spec.hidden)));
    x = random.Reals(spec.steps * spec.batch * spec.inputs);
    weights = random.Reals(rows * spec.inputs, -1.0f / width, 1.0f / width);
    recurrence = random.Reals(rows * spec.hidden, -1.0f / width, 1.0f / width);
    bias = random.Reals(2 * rows);
    h = random.Reals(spec.batch * spec.hidden);
    c = random.Reals(spec.batch * spec.hidden);
    peepholes = random.Reals(3 * spec.hidden);
    x_stored = random.Integers<uint8_t>(static_cast<int64_t>(x.size()));
    weights_stored = random.Integers<int8_t>(static_cast<int64_t>(weights.size()), -127, 127);
    recurrence_stored = random.Integers<int8_t>(static_cast<int64_t>(recurrence.size()), -127, 127);
    scale_w = random.Reals(rows, 0.5f / (127.0f * width), 1.0f / (127.0f * width));
    scale_r = random.Reals(rows, 0.5f / (127.0f * width), 1.0f / (127.0f * width));
  }

  void SetArithmetic(Arithmetic arithmetic) {
    spec.arithmetic = arithmetic;
    if (arithmetic == Arithmetic::kStaticInt8) {
      spec.x_type = ElementType::kUint8;
      spec.x_params = {1.0f / 128.0f, 121};
    }
  }

  // The engine's three outputs one after another.
  std::vector<float> Run(std::string_view engine, CpuFeatures features, Parallel& parallel,
                         const char** fault = nullptr) {
    const bool integer = spec.arithmetic != Arithmetic::kFloat;
    if (constant) {
      spec.weights = integer ? static_cast<const void*>(weights_stored.data()) : weights.data();
      spec.recurrence =
          integer ? static_cast<const void*>(recurrence_stored.data()) : recurrence.data();
      if (integer) {
        spec.weights_type = spec.recurrence_type = ElementType::kInt8;
        spec.weights_scale = scale_w;
        spec.recurrence_scale = scale_r;
      }
    }
    const PreparedPtr kernel = PrepareFirst(
        RecurrentKernels(), spec, {.features = features, .threads = parallel.threads()}, engine);
    if (kernel == nullptr) return {};
    const Fenced<float> fenced_x(x), fenced_bias(bias);
    const Fenced<uint8_t> fenced_stored(x_stored);
    const auto optional = [](const auto& values) {
      return values.empty() ? nullptr : static_cast<const void*>(values.data());
    };
    const std::vector<const void*> inputs = {
        spec.arithmetic == Arithmetic::kStaticInt8 ? static_cast<const void*>(fenced_stored.data())
                                                   : fenced_x.data(),
        constant ? nullptr : weights.data(),
        constant ? nullptr : recurrence.data(),
        bias.empty() ? nullptr : fenced_bias.data(),
        optional(lengths),
        optional(h),
        spec.kind == Kind::kLstm ? optional(c) : nullptr,
        spec.kind == Kind::kLstm ? optional(peepholes) : nullptr};
    const int64_t states = spec.batch * spec.hidden;
    Guarded<float> all(spec.steps * states), last_h(states), last_c(states);
    const std::vector<void*> outputs = {all.data(), last_h.data(), last_c.data()};
    const Fenced<unsigned char> scratch(
        std::vector<unsigned char>((kernel->scratch_bytes() + 63) / 64 * 64, 0xA5));
    Fault reported;
    kernel->Run({inputs, outputs, scratch.data(), &parallel, &reported});
    if (fault != nullptr) *fault = reported.what();
    EXPECT_TRUE(all.intact() && last_h.intact() && last_c.intact());
    std::vector<float> result = all.values();
    const std::vector<float> h_values = last_h.values(), c_values = last_c.values();
    result.insert(result.end(), h_values.begin(), h_values.end());
    if (spec.kind == Kind::kLstm) result.insert(result.end(), c_values.begin(), c_values.end());
    return result;
  }

  // Float sums differ in their order; a gate's last bit may move an 8-bit h by a step.
  void ExpectEnginesAgree() {
    Sequential sequential;
    testing::ThreeThreads three;
    const double tolerance = spec.arithmetic == Arithmetic::kFloat ? 2e-5 : 5e-3;
    const std::vector<float> want = Run("reference", kNoFeatures, sequential);
    ASSERT_FALSE(want.empty());
    for (const CpuFeatures features : {kNoFeatures, DetectCpuFeatures()}) {
      EXPECT_LE(Error(Run("composed", features, sequential), want), tolerance);
    }
    EXPECT_LE(Error(Run("composed", DetectCpuFeatures(), three), want), tolerance);
  }
};

TEST(RecurrentTest, EnginesAgreeOverShapesAndArithmetics) {
  Random random(20261121);
  for (const Kind kind : kKinds) {
    for (const Arithmetic arithmetic : kArithmetics) {
      for (const auto& [steps, batch, inputs, hidden] : {std::array<int64_t, 4>{1, 1, 1, 1},
                                                         {5, 1, 7, 20},
                                                         {3, 2, 17, 16},
                                                         {4, 4, 33, 70},
                                                         {2, 5, 64, 65},
                                                         {3, 9, 10, 33}}) {
        SCOPED_TRACE(::testing::Message()
                     << static_cast<int>(kind) << " " << static_cast<int>(arithmetic) << " "
                     << steps << "x" << batch << "x" << inputs << "x" << hidden);
        Operands operands(Layer(kind, steps, batch, inputs, hidden), random);
        operands.SetArithmetic(arithmetic);
        operands.ExpectEnginesAgree();
      }
    }
  }
}

TEST(RecurrentTest, EnginesAgreeOverOptions) {
  Random random(7);
  for (const Kind kind : kKinds) {
    for (const Arithmetic arithmetic : kArithmetics) {
      Operands operands(Layer(kind, 6, 3, 5, 19), random);
      operands.SetArithmetic(arithmetic);
      operands.spec.reverse = true;
      operands.lengths = {6, 0, 4};
      operands.spec.clip = 0.7f;
      operands.spec.linear_before_reset = true;
      operands.spec.input_forget = true;
      operands.ExpectEnginesAgree();
      operands.spec.linear_before_reset = operands.spec.input_forget = false;
      operands.spec.reverse = false;
      operands.peepholes.clear();
      operands.ExpectEnginesAgree();
      operands.bias.clear();
      operands.h.clear();
      operands.c.clear();
      operands.lengths.clear();
      operands.ExpectEnginesAgree();
    }
  }
}

TEST(RecurrentTest, EnginesAgreeOverFunctions) {
  Random random(8);
  for (int function = 0; function <= static_cast<int>(Function::kSoftplus); ++function) {
    Operands operands(Layer(Kind::kLstm, 3, 2, 4, 9), random);
    operands.spec.functions[1] = {static_cast<Function>(function), 0.5f, 0.25f};
    operands.ExpectEnginesAgree();
  }
}

TEST(RecurrentTest, WeightsMayArriveWithEachCall) {
  Random random(9);
  for (const Kind kind : kKinds) {
    for (const int64_t batch : {1, 6}) {
      Operands operands(Layer(kind, 4, batch, 6, 21), random);
      operands.constant = false;
      operands.ExpectEnginesAgree();
    }
  }
}

TEST(RecurrentTest, PadsWithZerosBehindASequence) {
  Random random(10);
  Operands operands(Layer(Kind::kGru, 4, 1, 2, 3), random);
  operands.lengths = {2};
  Sequential sequential;
  const std::vector<float> got = operands.Run("composed", DetectCpuFeatures(), sequential);
  ASSERT_EQ(got.size(), 15u);
  for (size_t i = 6; i < 12; ++i) EXPECT_EQ(got[i], 0.0f);
  for (size_t i = 0; i < 3; ++i) EXPECT_EQ(got[12 + i], got[3 + i]) << "the last h";
}

TEST(RecurrentTest, ReportsLengthsOutsideOfTheSteps) {
  Random random(11);
  Sequential sequential;
  for (const std::string_view engine : {"composed", "reference"}) {
    for (const int32_t length : {-1, 5}) {
      Operands operands(Layer(Kind::kRnn, 4, 1, 2, 3), random);
      operands.lengths = {length};
      const char* fault = nullptr;
      operands.Run(engine, kNoFeatures, sequential, &fault);
      EXPECT_NE(fault, nullptr) << engine << " " << length;
    }
  }
}

TEST(RecurrentTest, RefusesIntegersWithoutConstantWeights) {
  Random random(12);
  Operands operands(Layer(Kind::kLstm, 2, 1, 2, 3), random);
  operands.SetArithmetic(Arithmetic::kDynamicInt8);
  operands.constant = false;
  Sequential sequential;
  EXPECT_TRUE(operands.Run("", DetectCpuFeatures(), sequential).empty());
}

// A sample's 8-bit answer does not depend on the others of its batch.
TEST(RecurrentTest, DynamicScalesBelongToASample) {
  Random random(13);
  Operands one(Layer(Kind::kLstm, 3, 1, 8, 12), random);
  one.SetArithmetic(Arithmetic::kDynamicInt8);
  Operands two = one;
  two.spec.batch = 2;
  two.x.clear();
  for (int64_t t = 0; t < 3; ++t) {
    two.x.insert(two.x.end(), one.x.begin() + t * 8, one.x.begin() + (t + 1) * 8);
    for (int i = 0; i < 8; ++i) two.x.push_back(100.0f * static_cast<float>(i));
  }
  two.h.insert(two.h.end(), 12, 30.0f);
  two.c.insert(two.c.end(), 12, -5.0f);
  Sequential sequential;
  const std::vector<float> alone = one.Run("composed", DetectCpuFeatures(), sequential);
  const std::vector<float> beside = two.Run("composed", DetectCpuFeatures(), sequential);
  ASSERT_FALSE(alone.empty());
  for (size_t t = 0; t < 3; ++t) {
    for (size_t i = 0; i < 12; ++i) EXPECT_EQ(alone[t * 12 + i], beside[t * 24 + i]);
  }
}

TEST(GateFunctionsTest, AreCloseToTheExactFunctions) {
  std::vector<float> x;
  for (int i = -40000; i <= 40000; ++i) x.push_back(static_cast<float>(i) * 2.5e-3f);
  for (const float special : {-INFINITY, INFINITY, NAN, 1e-30f, -1e30f}) x.push_back(special);
  std::vector<float> sigmoid = x, tanh = x;
  composed::ApplyGate({Function::kSigmoid}, sigmoid.data(), static_cast<int64_t>(x.size()));
  composed::ApplyGate({Function::kTanh}, tanh.data(), static_cast<int64_t>(x.size()));
  for (size_t i = 0; i < x.size(); ++i) {
    const double value = x[i];
    if (std::isnan(value)) {
      EXPECT_TRUE(std::isnan(sigmoid[i]) && std::isnan(tanh[i]));
      continue;
    }
    EXPECT_NEAR(sigmoid[i], 1.0 / (1.0 + std::exp(-value)), 4e-7) << value;
    EXPECT_NEAR(tanh[i], std::tanh(value), 4e-7) << value;
  }
}

TEST(FewRowsTest, AgreesWithTheReferenceProduct) {
  Random random(14);
  for (const int64_t m : {int64_t{1}, composed::kFewRows}) {
    for (const int64_t n : {1, 15, 16, 64, 65, 100}) {
      for (const int64_t k : {1, 3, 4, 31, 130}) {
        MatMulSpec spec{.m = m, .n = n, .k = k, .transpose_rhs = true, .samples = m};
        const std::vector<float> weights = random.Reals(n * k);
        const Fenced<float> src(random.Reals(m * k));
        spec.sum.weights = weights.data();
        PreparedPtr kernel = composed::PrepareFewRows(spec, {.features = DetectCpuFeatures()});
        ASSERT_NE(kernel, nullptr);
        EXPECT_LE(Error(testing::RunKernel<float>(*kernel, {src.data()}, m * n),
                        testing::RunEngine<float>(MatMulKernels(), "reference", spec, {src.data()},
                                                  m * n)),
                  1e-5);

        const std::vector<int8_t> integers = random.Integers<int8_t>(n * k);
        const std::vector<float> multiplier = random.Reals(n, 0.1f, 1.0f);
        const Fenced<uint8_t> stored(random.Integers<uint8_t>(m * k));
        spec.sum.weights = integers.data();
        spec.sum.weights_type = ElementType::kInt8;
        spec.sum.multiplier = multiplier;
        spec.sum.src_zero_point = 3;
        for (const ElementType type : {ElementType::kUint8, ElementType::kInt8}) {
          spec.src_type = type;
          spec.sum.arithmetic = Arithmetic::kStaticInt8;
          kernel = composed::PrepareFewRows(spec, {.features = DetectCpuFeatures()});
          if (kernel == nullptr) continue;  // no dot products here
          EXPECT_EQ(testing::RunKernel<float>(*kernel, {stored.data()}, m * n),
                    testing::RunEngine<float>(MatMulKernels(), "reference", spec, {stored.data()},
                                              m * n));
        }
        spec.src_type = ElementType::kUint8;
        spec.sum.arithmetic = Arithmetic::kDynamicInt8;
        std::vector<QuantParams> params;
        for (int64_t i = 0; i < m; ++i)
          params.push_back({random.Real(0.1f, 2.0f), static_cast<int32_t>(random.Integer(0, 255))});
        kernel = composed::PrepareFewRows(spec, {.features = DetectCpuFeatures()});
        if (kernel == nullptr) continue;
        EXPECT_EQ(testing::RunKernel<float>(*kernel, {stored.data(), params.data()}, m * n),
                  testing::RunEngine<float>(MatMulKernels(), "reference", spec,
                                            {stored.data(), params.data()}, m * n));
      }
    }
  }
}

}  // namespace
}  // namespace fourfold::kernels
