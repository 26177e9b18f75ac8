// Sums of products, losses, and what is made of a few numbers.
#include <cmath>

#include "kernels/determinant.h"
#include "kernels/einsum.h"
#include "kernels/generate.h"
#include "kernels/likelihood.h"
#include "testing.h"

namespace fourfold::kernels {
namespace {

using ::testing::ElementsAre;
using ::testing::FloatNear;

TEST(DeterminantTest, WorkedFigures) {
  const std::vector<float> x = {1, 2, 3, 4, 0, 2, 3, 0, 1, 2, 2, 4};
  EXPECT_THAT(testing::RunEngine<float>(DeterminantKernels(), "reference", {.batch = 3, .n = 2},
                                        {x.data()}, 3),
              ElementsAre(FloatNear(-2, 1e-6f), FloatNear(-6, 1e-6f), 0));
  const std::vector<double> y = {2, -1, 0, -1, 2, -1, 0, -1, 2};  // 4 by its recurrence
  EXPECT_THAT(testing::RunEngine<double>(DeterminantKernels(), "reference",
                                         {.type = ElementType::kFloat64, .batch = 1, .n = 3},
                                         {y.data()}, 1),
              ElementsAre(::testing::DoubleNear(4, 1e-12)));
}

TEST(DeterminantTest, OfNothingIsOne) {
  const float none = 0;
  EXPECT_THAT(testing::RunEngine<float>(DeterminantKernels(), "reference", {.batch = 2, .n = 0},
                                        {&none}, 2),
              ElementsAre(1, 1));
}

template <typename T>
std::vector<T> Einsum(ElementType type, std::vector<std::vector<T>> operands,
                      std::vector<Dims> dims, std::vector<std::vector<int>> labels,
                      std::vector<int> dst, int64_t count) {
  const EinsumSpec spec{type, std::move(dims), std::move(labels), std::move(dst)};
  std::vector<const void*> inputs;
  for (const std::vector<T>& operand : operands) inputs.push_back(operand.data());
  return testing::RunEngine<T>(EinsumKernels(), "reference", spec, inputs, count);
}

TEST(EinsumTest, MultipliesMatrices) {
  EXPECT_THAT(Einsum<float>(ElementType::kFloat32, {{1, 2, 3, 4, 5, 6}, {1, 0, 0, 1, 1, 1}},
                            {{2, 3}, {3, 2}}, {{0, 1}, {1, 2}}, {0, 2}, 4),
              ElementsAre(4, 5, 10, 11));
}

TEST(EinsumTest, TransposesTakesDiagonalsAndSums) {
  const std::vector<int32_t> x = {1, 2, 3, 4};
  const auto of = [&](std::vector<int> labels, std::vector<int> dst, int64_t count) {
    return Einsum<int32_t>(ElementType::kInt32, {x}, {{2, 2}}, {labels}, dst, count);
  };
  EXPECT_THAT(of({0, 1}, {1, 0}, 4), ElementsAre(1, 3, 2, 4));
  EXPECT_THAT(of({0, 0}, {0}, 2), ElementsAre(1, 4));
  EXPECT_THAT(of({0, 0}, {}, 1), ElementsAre(5));
  EXPECT_THAT(of({0, 1}, {1}, 2), ElementsAre(4, 6));
}

TEST(EinsumTest, TakesThreeOperandsAndRepeatsDimensionsOfOne) {
  EXPECT_THAT(Einsum<double>(ElementType::kFloat64, {{1, 2}, {3, 4}, {10}}, {{2}, {2}, {1}},
                             {{0}, {1}, {1}}, {0, 1}, 4),
              ElementsAre(30, 40, 60, 80));
}

TEST(EinsumTest, RefusesDimensionsThatDiffer) {
  const EinsumSpec spec{ElementType::kFloat32, {{2}, {3}}, {{0}, {0}}, {}};
  EXPECT_EQ(PrepareFirst(EinsumKernels(), spec, {}), nullptr);
}

class LikelihoodTest : public ::testing::Test {
 protected:
  std::vector<float> Run(int64_t count, Fault* fault = nullptr) {
    std::vector<float> dst(static_cast<size_t>(count));
    const PreparedPtr kernel = PrepareFirst(LikelihoodKernels(), spec_, {});
    const void* const inputs[] = {src_.data(), target_.data(),
                                  weights_.empty() ? nullptr : weights_.data()};
    void* const outputs[] = {dst.data()};
    Sequential sequential;
    kernel->Run({.inputs = inputs, .outputs = outputs, .parallel = &sequential, .fault = fault});
    return dst;
  }

  // Two samples of three classes at two places: src[n][c][i].
  LikelihoodSpec spec_{.samples = 2, .classes = 3, .inner = 2};
  std::vector<float> src_ = {-1, -2, -3, -4, -5, -6, -7, -8, -9, -10, -11, -12};
  std::vector<int64_t> target_ = {0, 2, 1, 0};  // -1, -6; -9, -8
  std::vector<float> weights_;
};

TEST_F(LikelihoodTest, EachReduction) {
  spec_.reduction = LikelihoodSpec::Reduction::kNone;
  EXPECT_THAT(Run(4), ElementsAre(1, 6, 9, 8));
  spec_.reduction = LikelihoodSpec::Reduction::kSum;
  EXPECT_THAT(Run(1), ElementsAre(24));
  spec_.reduction = LikelihoodSpec::Reduction::kMean;
  EXPECT_THAT(Run(1), ElementsAre(6));
}

TEST_F(LikelihoodTest, MeanDividesByTheWeightsThatWereTaken) {
  weights_ = {1, 2, 4};
  EXPECT_THAT(Run(1), ElementsAre((1 + 24 + 18 + 8) / 8.0f));
  spec_.ignore_index = 2;
  EXPECT_THAT(Run(1), ElementsAre((1 + 18 + 8) / 4.0f));
}

TEST_F(LikelihoodTest, ATargetThatIsNoClassIsAFaultUnlessItIsIgnored) {
  target_[3] = 3;
  Fault fault;
  Run(1, &fault);
  ASSERT_NE(fault.what(), nullptr);
  Fault none;
  spec_.ignore_index = 3;
  EXPECT_THAT(Run(1, &none), ElementsAre(16 / 3.0f));
  EXPECT_EQ(none.what(), nullptr);
  target_[3] = -1;
  Fault negative;
  Run(1, &negative);
  EXPECT_NE(negative.what(), nullptr);
}

TEST(GenerateTest, RangesCountUpAndDown) {
  const int32_t start = 10, step = -3;
  EXPECT_THAT(testing::RunEngine<int32_t>(RangeKernels(), "reference",
                                          {.type = ElementType::kInt32, .count = 4},
                                          {&start, nullptr, &step}, 4),
              ElementsAre(10, 7, 4, 1));
  const double first = 0.5, delta = 0.25;
  EXPECT_THAT(testing::RunEngine<double>(RangeKernels(), "reference",
                                         {.type = ElementType::kFloat64, .count = 3},
                                         {&first, nullptr, &delta}, 3),
              ElementsAre(0.5, 0.75, 1.0));
}

TEST(GenerateTest, EyesHaveADiagonalOfTheirOwn) {
  const auto eye = [](int64_t diagonal) {
    return testing::RunEngine<uint8_t>(EyeKernels(), "reference",
                                       {ElementType::kUint8, 2, 3, diagonal}, {}, 6);
  };
  EXPECT_THAT(eye(0), ElementsAre(1, 0, 0, 0, 1, 0));
  EXPECT_THAT(eye(2), ElementsAre(0, 0, 1, 0, 0, 0));
  EXPECT_THAT(eye(-1), ElementsAre(0, 0, 0, 1, 0, 0));
  EXPECT_THAT(eye(std::numeric_limits<int64_t>::min()), ElementsAre(0, 0, 0, 0, 0, 0));
}

TEST(GenerateTest, FillsWithBytesOfAnySize) {
  FillSpec spec{.element_bytes = 2, .count = 3};
  spec.value = {0x34, 0x12};
  EXPECT_THAT(testing::RunEngine<uint16_t>(FillKernels(), "reference", spec, {}, 3),
              ElementsAre(0x1234, 0x1234, 0x1234));
}

}  // namespace
}  // namespace fourfold::kernels
