// Reductions and running sums of every element type.
#include <cmath>
#include <limits>

#include "kernels/accumulate_axis.h"
#include "kernels/arg_reduce.h"
#include "kernels/arithmetic.h"
#include "kernels/reduce.h"
#include "testing.h"

namespace fourfold::kernels {
namespace {

using ::testing::ElementsAre;
using Operation = ReduceSpec::Operation;

template <typename T>
std::vector<T> Reduced(Operation operation, ElementType type, const std::vector<T>& src, Dims dims,
                       std::vector<bool> reduced) {
  ReduceSpec spec;
  spec.operation = operation;
  spec.src = {type, std::move(dims)};
  spec.reduced = std::move(reduced);
  int64_t count = 1;
  for (size_t d = 0; d < spec.reduced.size(); ++d) {
    if (!spec.reduced[d]) count *= spec.src.dims[d];
  }
  return testing::RunEngine<T>(ReduceKernels(), "reference", spec, {src.data()}, count);
}

TEST(ReduceTypesTest, IntegersAreExactBeyondDoubles) {
  const int64_t large = (int64_t{1} << 60) + 1;
  const std::vector<int64_t> x = {large, 3, -large, 4};
  const auto rows = [&](Operation operation) {
    return Reduced<int64_t>(operation, ElementType::kInt64, x, {2, 2}, {false, true});
  };
  EXPECT_THAT(rows(Operation::kSum), ElementsAre(large + 3, -large + 4));
  EXPECT_THAT(rows(Operation::kMax), ElementsAre(large, 4));
  EXPECT_THAT(rows(Operation::kMin), ElementsAre(3, -large));
  EXPECT_THAT(rows(Operation::kProd), ElementsAre(3 * large, -4 * large));
  EXPECT_THAT(rows(Operation::kL1), ElementsAre(large + 3, large + 4));
  EXPECT_THAT(rows(Operation::kMean), ElementsAre((large + 3) / 2, (-large + 4) / 2));
}

TEST(ReduceTypesTest, UnsignedMaximumIsUnsigned) {
  EXPECT_THAT(
      Reduced<uint64_t>(Operation::kMax, ElementType::kUint64, {1ull << 63, 5}, {2}, {true}),
      ElementsAre(1ull << 63));
  EXPECT_THAT(Reduced<uint8_t>(Operation::kMin, ElementType::kUint8, {200, 255}, {2}, {true}),
              ElementsAre(200));
  EXPECT_THAT(Reduced<int8_t>(Operation::kSum, ElementType::kInt8, {100, 100}, {2}, {true}),
              ElementsAre(-56));  // wrapped
}

TEST(ReduceTypesTest, RootsOfIntegersAreTruncated) {
  EXPECT_THAT(
      Reduced<int32_t>(Operation::kL2, ElementType::kInt32, {3, 4, 1, 2}, {2, 2}, {false, true}),
      ElementsAre(5, 2));  // sqrt 5 = 2.236
  EXPECT_THAT(Reduced<int32_t>(Operation::kSumSquare, ElementType::kInt32, {3, -4}, {2}, {true}),
              ElementsAre(25));
}

TEST(ReduceTypesTest, BooleansHaveMaximumAndMinimum) {
  EXPECT_THAT(
      Reduced<uint8_t>(Operation::kMax, ElementType::kBool, {0, 1, 0, 0}, {2, 2}, {false, true}),
      ElementsAre(1, 0));
  EXPECT_THAT(
      Reduced<uint8_t>(Operation::kMin, ElementType::kBool, {1, 1, 0, 1}, {2, 2}, {false, true}),
      ElementsAre(1, 0));
}

TEST(ReduceTypesTest, OverNothingEachOperationHasItsNeutralElement) {
  const float infinity = std::numeric_limits<float>::infinity();
  const auto of = [](Operation operation) {
    return Reduced<float>(operation, ElementType::kFloat32, {}, {2, 0}, {false, true});
  };
  EXPECT_THAT(of(Operation::kSum), ElementsAre(0, 0));
  EXPECT_THAT(of(Operation::kProd), ElementsAre(1, 1));
  EXPECT_THAT(of(Operation::kMax), ElementsAre(-infinity, -infinity));
  EXPECT_THAT(of(Operation::kMin), ElementsAre(infinity, infinity));
  EXPECT_THAT(of(Operation::kL1), ElementsAre(0, 0));
  EXPECT_THAT(of(Operation::kL2), ElementsAre(0, 0));
  EXPECT_THAT(of(Operation::kSumSquare), ElementsAre(0, 0));
  EXPECT_THAT(of(Operation::kLogSum), ElementsAre(-infinity, -infinity));
  EXPECT_THAT(of(Operation::kLogSumExp), ElementsAre(-infinity, -infinity));
  EXPECT_TRUE(std::isnan(of(Operation::kMean)[0]));
  const auto whole = [](Operation operation) {
    return Reduced<int32_t>(operation, ElementType::kInt32, {}, {0}, {true});
  };
  EXPECT_THAT(whole(Operation::kMax), ElementsAre(std::numeric_limits<int32_t>::min()));
  EXPECT_THAT(whole(Operation::kMin), ElementsAre(std::numeric_limits<int32_t>::max()));
  EXPECT_THAT(whole(Operation::kMean), ElementsAre(0));
}

TEST(ReduceTypesTest, HalvesAreSummedWithoutTheirRounding) {
  const std::vector<uint16_t> ones(4096, FloatToHalf(1.0f));  // float16 would stop at 2048
  EXPECT_THAT(Reduced<uint16_t>(Operation::kSum, ElementType::kFloat16, ones, {4096}, {true}),
              ElementsAre(FloatToHalf(4096.0f)));
}

std::vector<int64_t> Index(ArgReduceSpec spec, const std::vector<float>& src) {
  return testing::RunEngine<int64_t>(ArgReduceKernels(), "reference", spec, {src.data()},
                                     spec.outer * spec.inner);
}

TEST(ArgReduceTest, FindsFirstOrLastOfEqualOnes) {
  ArgReduceSpec spec{.outer = 2, .axis = 4};
  const std::vector<float> x = {1, 5, 5, 2, -3, -3, 0, -1};
  EXPECT_THAT(Index(spec, x), ElementsAre(1, 2));
  spec.select_last = true;
  EXPECT_THAT(Index(spec, x), ElementsAre(2, 2));
  spec.minimum = true;
  EXPECT_THAT(Index(spec, x), ElementsAre(0, 1));
  spec.select_last = false;
  EXPECT_THAT(Index(spec, x), ElementsAre(0, 0));
}

TEST(ArgReduceTest, WalksAMiddleAxis) {
  const ArgReduceSpec spec{.outer = 1, .axis = 2, .inner = 3};
  EXPECT_THAT(Index(spec, {1, 9, 3, 4, 5, 6}), ElementsAre(1, 0, 1));
}

TEST(ArgReduceTest, OneHotMarksTheFirstLargest) {
  const ArgReduceSpec spec{.outer = 1, .axis = 3, .inner = 2, .one_hot = true};
  const std::vector<float> x = {1, 2, 3, 2, 3, 0};
  EXPECT_THAT(testing::RunEngine<float>(ArgReduceKernels(), "reference", spec, {x.data()}, 6),
              ElementsAre(0, 1, 1, 0, 0, 0));
}

TEST(AccumulateAxisTest, SumsFromEitherEndWithAndWithoutItself) {
  AccumulateAxisSpec spec{.type = ElementType::kInt32, .outer = 1, .axis = 3, .inner = 2};
  const std::vector<int32_t> x = {1, 10, 2, 20, 3, 30};
  const auto run = [&] {
    return testing::RunEngine<int32_t>(AccumulateAxisKernels(), "reference", spec, {x.data()}, 6);
  };
  EXPECT_THAT(run(), ElementsAre(1, 10, 3, 30, 6, 60));
  spec.exclusive = true;
  EXPECT_THAT(run(), ElementsAre(0, 0, 1, 10, 3, 30));
  spec.reverse = true;
  EXPECT_THAT(run(), ElementsAre(5, 50, 3, 30, 0, 0));
  spec.exclusive = false;
  EXPECT_THAT(run(), ElementsAre(6, 60, 5, 50, 3, 30));
}

}  // namespace
}  // namespace fourfold::kernels
