// Shapes of operations that select, rearrange and repeat elements.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/graph/infer_shapes.h"
#include "tests/testing/graph_builder.h"

namespace fourfold::graph {
namespace {

using ::fourfold::testing::GraphBuilder;
using ::testing::HasSubstr;

constexpr DataType kInt64 = DataType::kInt64;

// A graph of one node whose inputs are given by their shapes, or as constants.
class OneNode {
 public:
  explicit OneNode(Operation operation) : operation_(std::move(operation)) {}

  OneNode& Input(const Shape& shape, DataType type = DataType::kFloat32) {
    inputs_.push_back(builder_.Input("input_" + std::to_string(inputs_.size()), shape, type));
    return *this;
  }
  OneNode& Integers(const std::vector<int64_t>& numbers) {
    inputs_.push_back(builder_.Integers(numbers));
    return *this;
  }
  OneNode& None() {
    inputs_.push_back(kNoValue);
    return *this;
  }

  std::vector<Value> Infer(size_t outputs = 1) {
    const std::vector<ValueId> ids = builder_.AddMany(operation_, inputs_, outputs);
    Graph graph = builder_.BuildUnchecked();
    const absl::Status status = InferShapes(graph);
    EXPECT_TRUE(status.ok()) << status;
    std::vector<Value> values;
    for (ValueId id : ids) values.push_back(graph.value(id));
    return values;
  }
  Shape InferShape() { return Infer().front().shape.value_or(Shape{-99}); }

  std::string Error() {
    builder_.Add(operation_, inputs_);
    Graph graph = builder_.BuildUnchecked();
    const absl::Status status = InferShapes(graph);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
    return std::string(status.message());
  }

 private:
  Operation operation_;
  GraphBuilder builder_;
  std::vector<ValueId> inputs_;
};

TEST(InferSelectionTest, GatheredElementsHaveTheShapeOfTheirIndices) {
  const std::vector<Value> got =
      OneNode(GatherElements{1}).Input({3, 4}, DataType::kBool).Input({2, 9}, kInt64).Infer();
  EXPECT_EQ(got[0].type, DataType::kBool);
  EXPECT_EQ(got[0].shape, (Shape{2, 9}));
  EXPECT_THAT(OneNode(GatherElements{0}).Input({3, 4}).Input({2, 5}, kInt64).Error(),
              HasSubstr("no longer dimensions"));
  EXPECT_THAT(OneNode(GatherElements{2}).Input({3, 4}).Input({2, 4}, kInt64).Error(),
              HasSubstr("got axis 2"));
  EXPECT_THAT(OneNode(GatherElements{0}).Input({3, 4}).Input({2, 4}).Error(),
              HasSubstr("wanted int64 or int32"));
}

TEST(InferSelectionTest, PositionsSelectSlices) {
  EXPECT_EQ(OneNode(GatherNd{}).Input({5, 6, 7}).Input({2, 3, 2}, kInt64).InferShape(),
            (Shape{2, 3, 7}));
  EXPECT_EQ(OneNode(GatherNd{1}).Input({2, 6, 7}).Input({2, 3, 1}, kInt64).InferShape(),
            (Shape{2, 3, 7}));
  EXPECT_EQ(OneNode(GatherNd{}).Input({2, 2}).Input({0, 2}, kInt64).InferShape(), Shape{0});
  EXPECT_THAT(OneNode(GatherNd{}).Input({5, 6}).Input({4, 3}, kInt64).Error(),
              HasSubstr("got positions of 3 indices"));
  EXPECT_THAT(OneNode(GatherNd{1}).Input({5, 6}).Input({4, 1}, kInt64).Error(),
              HasSubstr("1 equal dimensions in front"));
  EXPECT_THAT(OneNode(GatherNd{2}).Input({5, 6}).Input({5, 6}, kInt64).Error(),
              HasSubstr("2 batch dimensions"));
}

TEST(InferSelectionTest, ScatteringKeepsTheShapeAndChecksUpdates) {
  EXPECT_EQ(OneNode(ScatterNd{})
                .Input({5, kUnknownDim, 7})
                .Input({2, 1}, kInt64)
                .Input({2, 6, 7})
                .InferShape(),
            (Shape{5, kUnknownDim, 7}));
  EXPECT_THAT(OneNode(ScatterNd{}).Input({5, 6}).Input({2, 1}, kInt64).Input({2, 5}).Error(),
              HasSubstr("wanted [2, 6]"));
  EXPECT_EQ(OneNode(ScatterElements{1})
                .Input({5, 6})
                .Input({5, 9}, DataType::kInt32)
                .Input({5, 9})
                .InferShape(),
            (Shape{5, 6}));
  EXPECT_THAT(OneNode(ScatterElements{0}).Input({5}).Input({2}, kInt64).Input({3}).Error(),
              HasSubstr("wanted the shape of the indices"));
  EXPECT_THAT(OneNode(ScatterElements{0})
                  .Input({5})
                  .Input({2}, kInt64)
                  .Input({2}, DataType::kFloat64)
                  .Error(),
              HasSubstr("got 'input_2' of float64, wanted float32"));
}

TEST(InferSelectionTest, TopKIsKLongAlongItsAxis) {
  const std::vector<Value> got =
      OneNode(TopK{0}).Input({9, 4}, DataType::kInt8).Integers({5}).Infer(2);
  EXPECT_EQ(got[0].type, DataType::kInt8);
  EXPECT_EQ(got[1].type, kInt64);
  EXPECT_EQ(got[0].shape, (Shape{5, 4}));
  EXPECT_EQ(got[1].shape, (Shape{5, 4}));
  EXPECT_EQ(OneNode(TopK{1}).Input({9, 4}).Input({1}, kInt64).InferShape(),
            (Shape{9, kUnknownDim}));
  EXPECT_THAT(OneNode(TopK{1}).Input({9, 4}).Integers({5}).Error(), HasSubstr("got k 5"));
  EXPECT_THAT(OneNode(TopK{1}).Input({9, 4}).Integers({-1}).Error(), HasSubstr("got k -1"));
}

TEST(InferSelectionTest, OneHotInsertsItsDepth) {
  EXPECT_EQ(OneNode(OneHot{}).Input({3, 4}, kInt64).Integers({7}).Input({2}).InferShape(),
            (Shape{3, 4, 7}));
  EXPECT_EQ(OneNode(OneHot{-3}).Input({3, 4}).Integers({7}).Input({2}).InferShape(),
            (Shape{7, 3, 4}));
  EXPECT_EQ(OneNode(OneHot{1}).Input({3}).Input({}, kInt64).Input({2}, kInt64).InferShape(),
            (Shape{3, kUnknownDim}));
  EXPECT_THAT(OneNode(OneHot{3}).Input({3}).Integers({7}).Input({2}).Error(),
              HasSubstr("got axis 3"));
  EXPECT_THAT(OneNode(OneHot{}).Input({3}).Integers({7}).Input({3}).Error(),
              HasSubstr("wanted [2]"));
  EXPECT_THAT(OneNode(OneHot{}).Input({3}).Integers({-7}).Input({2}).Error(),
              HasSubstr("got depth [-7]"));
}

TEST(InferSelectionTest, WhatTheDataDecideIsUnknown) {
  EXPECT_EQ(OneNode(NonZero{}).Input({3, 4}).InferShape(), (Shape{2, kUnknownDim}));
  EXPECT_EQ(OneNode(Compress{1}).Input({3, 4}).Input({4}, DataType::kBool).InferShape(),
            (Shape{3, kUnknownDim}));
  EXPECT_EQ(OneNode(Compress{}).Input({3, 4}).Input({9}, DataType::kBool).InferShape(),
            Shape{kUnknownDim});
  EXPECT_THAT(OneNode(Compress{}).Input({3, 4}).Input({9}).Error(), HasSubstr("wanted bool"));
  const std::vector<Value> unique = OneNode(Unique{.axis = -1}).Input({3, 4}).Infer(4);
  EXPECT_EQ(unique[0].shape, (Shape{3, kUnknownDim}));
  EXPECT_EQ(unique[1].shape, Shape{kUnknownDim});
  EXPECT_EQ(unique[2].shape, Shape{4});
  EXPECT_EQ(OneNode(Unique{}).Input({3, 4}).Infer(4)[2].shape, Shape{12});
}

TEST(InferArrangementTest, BlocksMoveBetweenDepthAndSpace) {
  EXPECT_EQ(OneNode(DepthToSpace{2}).Input({kUnknownDim, 12, 3, 5}).InferShape(),
            (Shape{kUnknownDim, 3, 6, 10}));
  EXPECT_EQ(OneNode(SpaceToDepth{3}).Input({1, 2, 6, 9}).InferShape(), (Shape{1, 18, 2, 3}));
  EXPECT_THAT(OneNode(DepthToSpace{2}).Input({1, 6, 3, 5}).Error(), HasSubstr("multiple of 4"));
  EXPECT_THAT(OneNode(SpaceToDepth{2}).Input({1, 6, 3, 4}).Error(), HasSubstr("multiple of 2"));
  EXPECT_THAT(OneNode(DepthToSpace{0}).Input({1, 4, 3, 5}).Error(), HasSubstr("blocksize 0"));
  EXPECT_THAT(OneNode(DepthToSpace{int64_t{1} << 40}).Input({1, 4, 3, 5}).Error(),
              HasSubstr("blocksize"));
  EXPECT_THAT(OneNode(DepthToSpace{2}).Input({4, 3, 5}).Error(), HasSubstr("four dimensions"));
}

TEST(InferArrangementTest, TilesMultiplyDimensions) {
  EXPECT_EQ(OneNode(Tile{}).Input({2, kUnknownDim, 3}).Integers({3, 2, 0}).InferShape(),
            (Shape{6, kUnknownDim, 0}));
  EXPECT_THAT(OneNode(Tile{}).Input({2, 3}).Integers({3}).Error(), HasSubstr("got 1 repeats"));
  EXPECT_THAT(OneNode(Tile{}).Input({2}).Integers({-1}).Error(), HasSubstr("got -1 repeats"));
  EXPECT_THAT(OneNode(Tile{}).Input({int64_t{1} << 40}).Integers({int64_t{1} << 40}).Error(),
              HasSubstr("fewer elements"));
}

TEST(InferArrangementTest, SequencesAndTrianglesKeepTheirShape) {
  EXPECT_EQ(OneNode(ReverseSequence{0, 1}).Input({3, 4, 5}).Input({3}, kInt64).InferShape(),
            (Shape{3, 4, 5}));
  EXPECT_THAT(OneNode(ReverseSequence{1, 0}).Input({3, 4, 5}).Input({3}, kInt64).Error(),
              HasSubstr("one for each sequence"));
  EXPECT_THAT(OneNode(ReverseSequence{1, 2}).Input({3, 4, 5}).Input({4}, kInt64).Error(),
              HasSubstr("got batch_axis 1 and time_axis 2"));
  EXPECT_EQ(OneNode(Trilu{}).Input({3, 4}).InferShape(), (Shape{3, 4}));
  EXPECT_THAT(OneNode(Trilu{}).Input({3}).Error(), HasSubstr("at least two dimensions"));
}

TEST(InferArrangementTest, BlocksMakeAnImage) {
  Col2Im op;
  op.window.strides = {1, 2};
  op.window.dilations = {2, 1};
  op.window.pads = {1, 2, 1, 2};
  EXPECT_EQ(OneNode(op).Input({2, 18, 20}).Integers({5, 6}).Integers({2, 3}).InferShape(),
            (Shape{2, 3, 5, 6}));
  EXPECT_THAT(OneNode(op).Input({2, 18, 21}).Integers({5, 6}).Integers({2, 3}).Error(),
              HasSubstr("wanted 20 blocks"));
  EXPECT_THAT(OneNode(op).Input({2, 17, 20}).Integers({5, 6}).Integers({2, 3}).Error(),
              HasSubstr("multiple of 6"));
  EXPECT_THAT(OneNode(op).Input({2, 18, 20}).Integers({5, 6}).Integers({2, 0}).Error(),
              HasSubstr("got block"));
}

TEST(InferPadTest, AxesSayWhichDimensionsArePadded) {
  EXPECT_EQ(
      OneNode(Pad{}).Input({3, 4, 5}).Integers({1, 0, 2, -3}).None().Integers({-1, 0}).InferShape(),
      (Shape{0 + 3 + 0 - 3, 4, 5 + 1 + 2}));
  EXPECT_THAT(OneNode(Pad{}).Input({3, 4}).Integers({1, 0}).None().Integers({0, 1}).Error(),
              HasSubstr("got 2 pads for 2 dimensions"));
  EXPECT_THAT(OneNode(Pad{}).Input({3, 4}).Integers({1, 0, 1, 0}).None().Integers({0, -2}).Error(),
              HasSubstr("wanted different dimensions"));
}

}  // namespace
}  // namespace fourfold::graph
