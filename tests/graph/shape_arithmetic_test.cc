// What models compute from shapes is known once the inputs' shapes are.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "server/graph/infer_shapes.h"
#include "server/graph/validate.h"
#include "tests/testing/graph_builder.h"

namespace fourfold::graph {
namespace {

using ::fourfold::testing::GraphBuilder;
using ::testing::AllOf;
using ::testing::HasSubstr;

// torch's x.view(x.size(0), -1): Shape -> Gather -> Unsqueeze -> Concat -> Reshape.
Graph FlattenAsTorch(Shape input) {
  GraphBuilder b;
  const ValueId x = b.Relu(b.Input("x", input));
  const ValueId zero = b.Constant(Tensor::Of<int64_t>(DataType::kInt64, {}, {0}));
  const ValueId size = b.Add(Gather{0}, {b.Add(ShapeOf{}, {x}), zero});
  const ValueId shape =
      b.Concat({b.Add(Unsqueeze{}, {size, b.Integers({0})}), b.Integers({-1})}, 0);
  b.Output(b.Add(Reshape{}, {x, shape}), "y");
  return b.Build();
}

TEST(ShapeArithmeticTest, UnknownBatchLeavesTheRankKnown) {
  const Graph graph = FlattenAsTorch({kUnknownDim, 3, 4});
  EXPECT_EQ(graph.value(graph.outputs[0]).shape->size(), 2u);
}

TEST(ShapeArithmeticTest, BoundBatchResolvesTheReshapeAndDropsItsArithmetic) {
  const absl::StatusOr<Graph> bound =
      BindInputShapes(FlattenAsTorch({kUnknownDim, 3, 4}), {{5, 3, 4}});
  ASSERT_TRUE(bound.ok()) << bound.status();
  EXPECT_EQ(*bound->value(bound->outputs[0]).shape, (Shape{5, 12}));
  EXPECT_EQ(bound->nodes.size(), 2u);  // Relu and Reshape
  EXPECT_TRUE(Validate(*bound).ok()) << Validate(*bound);
}

TEST(ShapeArithmeticTest, StaticPartOfAShapeIsKnownWithoutTheBatch) {
  GraphBuilder b;
  const ValueId x = b.Input("x", {kUnknownDim, 3, 4});
  const ValueId tail = b.Add(Slice{}, {b.Add(ShapeOf{}, {x}), b.Integers({1}), b.Integers({3})});
  const ValueId doubled = b.Product(tail, b.Integers({2}));
  b.Output(doubled);
  const Graph graph = b.Build();
  ASSERT_NE(graph.value(doubled).constant, nullptr);
  EXPECT_EQ(graph.value(doubled).constant->ToInt64(), (std::vector<int64_t>{6, 8}));
}

TEST(ShapeArithmeticTest, ShapeOfTakesAPart) {
  GraphBuilder b;
  const ValueId x = b.Input("x", {2, 3, 4, 5});
  const ValueId part = b.Add(ShapeOf{-3, -1}, {x});
  b.Output(part);
  const Graph graph = b.Build();
  EXPECT_EQ(graph.value(part).constant->ToInt64(), (std::vector<int64_t>{3, 4}));
}

// torch's F.pad: the pads are turned from (last dimension first) pairs into ONNX's order by
// ConstantOfShape, Concat, Reshape, Slice, Transpose, Reshape, Cast.
TEST(ShapeArithmeticTest, PadsOfTorchAreComputed) {
  GraphBuilder b;
  const ValueId x = b.Input("x", {kUnknownDim, 16, 8, 8});
  const TensorPtr zero = Tensor::Of<int64_t>(DataType::kInt64, {1}, {0});
  const ValueId rest = b.Add(ConstantOfShape{zero}, {b.Integers({2})});
  const ValueId pairs = b.Reshape(b.Concat({b.Integers({0, 0, 0, 0, 4, 4}), rest}, 0), {-1, 2});
  const ValueId reversed = b.Add(
      Slice{}, {pairs, b.Integers({-1}), b.Integers({std::numeric_limits<int64_t>::min() + 1}),
                b.Integers({0}), b.Integers({-1})});
  const ValueId pads =
      b.Add(Cast{DataType::kInt64}, {b.Reshape(b.Transpose(reversed, {1, 0}), {-1})});
  const ValueId y = b.Add(Pad{}, {x, pads});
  b.Output(y);
  const Graph graph = b.Build();
  EXPECT_EQ(*graph.value(y).shape, (Shape{kUnknownDim, 24, 8, 8}));
  EXPECT_EQ(graph.nodes.size(), 1u);
}

TEST(BindInputShapesTest, NamesTheInputThatDoesNotAdmitTheShape) {
  GraphBuilder b;
  b.Output(b.Relu(b.Input("image", {1, 3, 8, 8})));
  const absl::Status status = BindInputShapes(b.Build(), {{4, 3, 8, 8}}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr("'image'"), HasSubstr("got shape [4, 3, 8, 8]"),
                    HasSubstr("wanted [1, 3, 8, 8]")));
}

TEST(BindInputShapesTest, RefusesWrongCountRankAndUnknownDimensions) {
  GraphBuilder b;
  b.Output(b.Relu(b.Input("x", {kUnknownDim, 3})));
  const Graph graph = b.Build();
  EXPECT_EQ(BindInputShapes(graph, {}).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(BindInputShapes(graph, {{1, 3, 1}}).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(BindInputShapes(graph, {{kUnknownDim, 3}}).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(BindInputShapes(graph, {{-7, 3}}).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(BindInputShapesTest, LeavesTheOriginalUnbound) {
  GraphBuilder b;
  b.Output(b.Relu(b.Input("x", {kUnknownDim, 3})));
  const Graph graph = b.Build();
  ASSERT_TRUE(BindInputShapes(graph, {{2, 3}}).ok());
  const absl::StatusOr<Graph> again = BindInputShapes(graph, {{7, 3}});
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(*again->value(again->outputs[0]).shape, (Shape{7, 3}));
}

TEST(BindInputShapesTest, ShapeThatDependsOnDataIsAnError) {
  GraphBuilder b;
  const ValueId shape = b.Input("shape", {2}, DataType::kInt64);
  b.Output(b.Named("view").Add(Reshape{}, {b.Input("x", {4}), shape}));
  const absl::Status status = BindInputShapes(b.Build(), {{2}, {4}}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("view (Reshape)"));
}

}  // namespace
}  // namespace fourfold::graph
