// Operations whose results are as long as the data say. Expected values are the examples of the
// ONNX specification and worked by hand.

#include <gtest/gtest.h>

#include <cmath>

#include "kernels/arithmetic.h"
#include "server/graph/dynamic_operation.h"

namespace fourfold::graph {
namespace {

template <typename Op>
std::vector<TensorPtr> Results(const Op& op, const std::vector<TensorPtr>& inputs) {
  std::vector<const Tensor*> plain;
  for (const TensorPtr& input : inputs) plain.push_back(input.get());
  auto outputs = RunDynamic(op, plain);
  EXPECT_TRUE(outputs.ok()) << outputs.status();
  return outputs.ok() ? *outputs : std::vector<TensorPtr>();
}

template <typename Op>
absl::StatusCode Code(const Op& op, const std::vector<TensorPtr>& inputs) {
  std::vector<const Tensor*> plain;
  for (const TensorPtr& input : inputs) plain.push_back(input.get());
  return RunDynamic(op, plain).status().code();
}

TensorPtr Floats(Shape shape, const std::vector<float>& values) {
  return Tensor::Of(DataType::kFloat32, std::move(shape), values);
}
TensorPtr Flags(const std::vector<uint8_t>& values) {
  return Tensor::Of(DataType::kBool, {static_cast<int64_t>(values.size())}, values);
}

using Numbers = std::vector<int64_t>;

TEST(NonZeroTest, ListsIndicesColumnByColumn) {
  const auto got = Results(NonZero{}, {Floats({2, 2}, {1, -0.0f, NAN, 1})});
  ASSERT_EQ(got.size(), 1u);
  EXPECT_EQ(got[0]->shape(), (Shape{2, 3}));
  EXPECT_EQ(got[0]->ToInt64(), (Numbers{0, 1, 1, 0, 0, 1}));
  const auto halves = Tensor::Of<uint16_t>(DataType::kFloat16, {3}, {0x8000, 0x0001, 0});
  EXPECT_EQ(Results(NonZero{}, {halves})[0]->ToInt64(), (Numbers{1}));
  const auto integers = Tensor::Of<int64_t>(DataType::kInt64, {2}, {int64_t{1} << 63, 0});
  EXPECT_EQ(Results(NonZero{}, {integers})[0]->ToInt64(), (Numbers{0}));
}

TEST(NonZeroTest, ScalarsAndEmptyTensorsHaveEmptyLists) {
  EXPECT_EQ(Results(NonZero{}, {Floats({}, {5})})[0]->shape(), (Shape{0, 1}));
  EXPECT_EQ(Results(NonZero{}, {Floats({}, {0})})[0]->shape(), (Shape{0, 0}));
  EXPECT_EQ(Results(NonZero{}, {Floats({3, 0}, {})})[0]->shape(), (Shape{2, 0}));
}

TEST(CompressTest, KeepsSlicesForWhichTheConditionHolds) {
  const TensorPtr x = Floats({3, 2}, {1, 2, 3, 4, 5, 6});
  const auto rows = Results(Compress{0}, {x, Flags({0, 1, 1})});
  EXPECT_EQ(rows[0]->shape(), (Shape{2, 2}));
  EXPECT_EQ(rows[0]->ToFloat(), (std::vector<float>{3, 4, 5, 6}));
  const auto columns = Results(Compress{-1}, {x, Flags({0, 1})});
  EXPECT_EQ(columns[0]->shape(), (Shape{3, 1}));
  EXPECT_EQ(columns[0]->ToFloat(), (std::vector<float>{2, 4, 6}));
  const auto flat = Results(Compress{}, {x, Flags({0, 1, 0, 0, 1})});
  EXPECT_EQ(flat[0]->ToFloat(), (std::vector<float>{2, 5}));
  EXPECT_EQ(Results(Compress{0}, {x, Flags({})})[0]->shape(), (Shape{0, 2}));
}

TEST(CompressTest, RefusesConditionsThatAreTooLongOrNotBool) {
  const TensorPtr x = Floats({3, 2}, {1, 2, 3, 4, 5, 6});
  EXPECT_EQ(Code(Compress{1}, {x, Flags({1, 1, 1})}), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Code(Compress{2}, {x, Flags({1})}), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Code(Compress{0}, {x, x}), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Code(Compress{0}, {x}), absl::StatusCode::kInvalidArgument);
}

TEST(UniqueTest, SortedOrInOrderOfAppearance) {
  const TensorPtr x = Floats({6}, {2, 1, 1, 3, 4, 3});
  const auto sorted = Results(Unique{}, {x});
  ASSERT_EQ(sorted.size(), 4u);
  EXPECT_EQ(sorted[0]->ToFloat(), (std::vector<float>{1, 2, 3, 4}));
  EXPECT_EQ(sorted[1]->ToInt64(), (Numbers{1, 0, 3, 4}));
  EXPECT_EQ(sorted[2]->ToInt64(), (Numbers{1, 0, 0, 2, 3, 2}));
  EXPECT_EQ(sorted[3]->ToInt64(), (Numbers{2, 1, 2, 1}));
  const auto unsorted = Results(Unique{.sorted = false}, {x});
  EXPECT_EQ(unsorted[0]->ToFloat(), (std::vector<float>{2, 1, 3, 4}));
  EXPECT_EQ(unsorted[1]->ToInt64(), (Numbers{0, 1, 3, 4}));
  EXPECT_EQ(unsorted[2]->ToInt64(), (Numbers{0, 1, 1, 2, 3, 2}));
  EXPECT_EQ(unsorted[3]->ToInt64(), (Numbers{1, 2, 2, 1}));
}

TEST(UniqueTest, SlicesAlongAnAxis) {
  const auto rows = Results(Unique{.axis = 0}, {Floats({3, 3}, {1, 0, 0, 1, 0, 0, 2, 3, 4})});
  EXPECT_EQ(rows[0]->shape(), (Shape{2, 3}));
  EXPECT_EQ(rows[0]->ToFloat(), (std::vector<float>{1, 0, 0, 2, 3, 4}));
  EXPECT_EQ(rows[2]->ToInt64(), (Numbers{0, 0, 1}));
  const auto columns = Results(Unique{.axis = 1}, {Floats({2, 4, 2}, {1, 1, 0, 1, 2, 1, 0, 1,  //
                                                                      1, 1, 0, 1, 2, 1, 0, 1})});
  EXPECT_EQ(columns[0]->shape(), (Shape{2, 3, 2}));
  EXPECT_EQ(columns[0]->ToFloat(), (std::vector<float>{0, 1, 1, 1, 2, 1, 0, 1, 1, 1, 2, 1}));
  EXPECT_EQ(columns[1]->ToInt64(), (Numbers{1, 0, 2}));
  EXPECT_EQ(columns[2]->ToInt64(), (Numbers{1, 0, 2, 0}));
  EXPECT_EQ(columns[3]->ToInt64(), (Numbers{2, 1, 1}));
}

TEST(UniqueTest, OrdersEveryTypeByValue) {
  const auto bytes = Tensor::Of<int8_t>(DataType::kInt8, {4}, {3, -1, 3, -128});
  EXPECT_EQ(Results(Unique{}, {bytes})[0]->ToInt64(), (Numbers{-128, -1, 3}));
  const auto half = [](float x) { return kernels::FloatToHalf(x); };
  const auto halves =
      Tensor::Of<uint16_t>(DataType::kFloat16, {4}, {half(1), half(-2), half(-1), half(1)});
  EXPECT_EQ(Results(Unique{}, {halves})[0]->ToFloat(), (std::vector<float>{-2, -1, 1}));
  const auto nans = Results(Unique{}, {Floats({4}, {NAN, 1, NAN, INFINITY})});
  EXPECT_EQ(nans[3]->ToInt64(), (Numbers{1, 1, 2}));
  EXPECT_EQ(Results(Unique{}, {Floats({0}, {})})[0]->shape(), Shape{0});
}

}  // namespace
}  // namespace fourfold::graph
