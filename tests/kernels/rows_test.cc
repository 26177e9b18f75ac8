#include <cmath>

#include "kernels/reduce.h"
#include "kernels/softmax.h"
#include "testing.h"

namespace fourfold::kernels {
namespace {

using testing::Random;

class SoftmaxTest : public ::testing::TestWithParam<std::tuple<int64_t, int64_t, bool>> {};

TEST_P(SoftmaxTest, EqualsTheDefinition) {
  const auto& [axis, inner, logarithm] = GetParam();
  const SoftmaxSpec spec{.outer = 3, .axis = axis, .inner = inner, .logarithm = logarithm};
  const int64_t count = 3 * axis * inner;
  Random random(static_cast<uint32_t>(axis * 100 + inner));
  const std::vector<float> src = random.Reals(count, -90.0f, 90.0f);
  const std::vector<float> got =
      testing::ExpectEnginesAgree<float>(SoftmaxKernels(), spec, {src.data()}, count, 1e-4);
  for (int64_t line = 0; line < 3 * inner; ++line) {
    const int64_t first = line / inner * axis * inner + line % inner;
    double high = -INFINITY, sum = 0;
    for (int64_t k = 0; k < axis; ++k)
      high = std::max<double>(high, src[static_cast<size_t>(first + k * inner)]);
    for (int64_t k = 0; k < axis; ++k)
      sum += std::exp(src[static_cast<size_t>(first + k * inner)] - high);
    for (int64_t k = 0; k < axis; ++k) {
      const auto i = static_cast<size_t>(first + k * inner);
      const double shifted = src[i] - high;
      const double want = logarithm ? shifted - std::log(sum) : std::exp(shifted) / sum;
      ASSERT_NEAR(got[i], want, 1e-5 * (1 + std::fabs(want)));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Shapes, SoftmaxTest,
                         ::testing::Combine(::testing::Values(1, 10, 17, 1000),
                                            ::testing::Values(1, 5, 130), ::testing::Bool()));

class ReduceTest : public ::testing::TestWithParam<std::tuple<int, int, Layout>> {};

double Fold(ReduceSpec::Operation operation, const std::vector<double>& values) {
  using Operation = ReduceSpec::Operation;
  double sum = 0, absolute = 0, square = 0, product = 1, exponential = 0;
  for (double x : values) {
    sum += x;
    absolute += std::fabs(x);
    square += x * x;
    product *= x;
    exponential += std::exp(x);
  }
  switch (operation) {
    case Operation::kMean: return sum / static_cast<double>(values.size());
    case Operation::kSum: return sum;
    case Operation::kMax: return *std::max_element(values.begin(), values.end());
    case Operation::kMin: return *std::min_element(values.begin(), values.end());
    case Operation::kProd: return product;
    case Operation::kSumSquare: return square;
    case Operation::kL1: return absolute;
    case Operation::kL2: return std::sqrt(square);
    case Operation::kLogSum: return std::log(sum);
    case Operation::kLogSumExp: return std::log(exponential);
  }
  return 0;
}

TEST_P(ReduceTest, EveryOperationEqualsItsDefinition) {
  const auto& [mask, shape, layout] = GetParam();
  const std::vector<Dims> shapes = {{2, 3, 4, 5}, {1, 130, 7, 7}, {3, 1, 1, 67}, {2, 64, 1, 1}};
  ReduceSpec spec{.src = {.dims = shapes[static_cast<size_t>(shape)], .layout = layout},
                  .reduced = {}};
  for (int d = 0; d < 4; ++d) spec.reduced.push_back((mask >> d & 1) != 0);
  Random random(static_cast<uint32_t>(mask));
  const std::vector<float> src = random.Reals(ElementCount(spec.src.dims), 0.9f, 1.1f);
  const std::vector<int64_t> strides = Strides(spec.src.dims, layout);
  std::vector<std::vector<double>> behind;
  for (int64_t i = 0; i < ElementCount(spec.src.dims); ++i) {
    int64_t rest = i, from = 0, to = 0, step = 1;
    for (size_t d = 4; d-- > 0;) {
      const int64_t index = rest % spec.src.dims[d];
      rest /= spec.src.dims[d];
      from += index * strides[d];
      if (spec.reduced[d]) continue;
      to += index * step;
      step *= spec.src.dims[d];
    }
    behind.resize(std::max(behind.size(), static_cast<size_t>(to) + 1));
    behind[static_cast<size_t>(to)].push_back(src[static_cast<size_t>(from)]);
  }
  for (int operation = 0; operation <= static_cast<int>(ReduceSpec::Operation::kLogSumExp);
       ++operation) {
    spec.operation = static_cast<ReduceSpec::Operation>(operation);
    const std::vector<float> got = testing::ExpectEnginesAgree<float>(
        ReduceKernels(), spec, {src.data()}, static_cast<int64_t>(behind.size()), 1e-6);
    for (size_t i = 0; i < got.size(); ++i) {
      const double want = Fold(spec.operation, behind[i]);
      ASSERT_NEAR(got[i], want, 1e-6 * (1 + std::fabs(want))) << operation << " at " << i;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Masks, ReduceTest,
                         ::testing::Combine(::testing::Range(0, 16), ::testing::Range(0, 4),
                                            ::testing::Values(Layout::kRowMajor,
                                                              Layout::kChannelsLast)));

TEST(ReduceRangeTest, LogSumExpDoesNotOverflow) {
  const std::vector<float> src = {1000.0f, 1000.0f, -1000.0f};
  const ReduceSpec spec{
      .operation = ReduceSpec::Operation::kLogSumExp, .src = {.dims = {3}}, .reduced = {true}};
  const auto got = testing::RunEngine<float>(ReduceKernels(), "reference", spec, {src.data()}, 1);
  EXPECT_FLOAT_EQ(got[0], 1000.0f + std::log(2.0f));
}

}  // namespace
}  // namespace fourfold::kernels
