// Shapes and errors of operations on images and of normalizations; NonMaxSuppression.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/graph/dynamic_operation.h"
#include "server/graph/infer_shapes.h"
#include "tests/testing/graph_builder.h"

namespace fourfold::graph {
namespace {

using fourfold::testing::GraphBuilder;
using ::testing::HasSubstr;
constexpr int64_t kAny = kUnknownDim;

// The inferred shapes of all outputs, or the error.
absl::StatusOr<std::vector<Shape>> ShapesOf(
    const Operation& operation, const std::vector<Shape>& inputs, size_t outputs = 1,
    const std::vector<std::pair<size_t, DataType>>& types = {}) {
  GraphBuilder b;
  std::vector<ValueId> ids;
  for (size_t i = 0; i < inputs.size(); ++i) {
    DataType type = DataType::kFloat32;
    for (const auto& [at, other] : types) type = at == i ? other : type;
    ids.push_back(b.Input("x" + std::to_string(i), inputs[i], type));
  }
  const std::vector<ValueId> results = b.AddMany(operation, ids, outputs);
  for (ValueId id : results) b.Output(id);
  Graph graph = b.BuildUnchecked();
  if (absl::Status status = InferShapes(graph); !status.ok()) return status;
  std::vector<Shape> shapes;
  for (ValueId id : results) shapes.push_back(*graph.value(id).shape);
  return shapes;
}

void ExpectShape(const Operation& operation, const std::vector<Shape>& inputs, const Shape& want,
                 const std::vector<std::pair<size_t, DataType>>& types = {}) {
  const auto got = ShapesOf(operation, inputs, 1, types);
  ASSERT_TRUE(got.ok()) << got.status();
  EXPECT_EQ(got->front(), want);
}

void ExpectRefused(const Operation& operation, const std::vector<Shape>& inputs,
                   const std::string& message,
                   const std::vector<std::pair<size_t, DataType>>& types = {}) {
  const auto got = ShapesOf(operation, inputs, 1, types);
  ASSERT_EQ(got.status().code(), absl::StatusCode::kInvalidArgument) << got.status();
  EXPECT_THAT(std::string(got.status().message()), HasSubstr(message));
}

TEST(ImageShapesTest, ConvTranspose) {
  ConvTranspose conv;
  conv.window.strides = {2, 3};
  ExpectShape(conv, {{1, 4, 5, 6}, {4, 3, 3, 2}}, {1, 3, 11, 17});
  ExpectShape(conv, {{kAny, 4, kAny, 6}, {4, 3, 3, 2}}, {kAny, 3, kAny, 17});
  conv.window.pads = {1, 0, 0, 1};
  conv.output_padding = {1, 2};
  conv.groups = 2;
  ExpectShape(conv, {{1, 4, 5, 6}, {4, 3, 3, 2}, {6}}, {1, 6, 11, 18});
  conv.window.auto_pad = AutoPad::kSameUpper;
  conv.output_padding = {};
  ExpectShape(conv, {{1, 4, 5, 6}, {4, 3, 3, 2}}, {1, 6, 10, 18});
  conv.output_shape = {9, 20};
  ExpectShape(conv, {{1, 4, kAny, 6}, {4, 3, 3, 2}}, {1, 6, 9, 20});
  conv.output_shape = {1, 6, 9, 20};  // as files before opset 11 have it
  ExpectShape(conv, {{1, 4, 5, 6}, {4, 3, 3, 2}}, {1, 6, 9, 20});

  ExpectRefused(conv, {{1, 5, 5, 6}, {4, 3, 3, 2}}, "equal input channels");
  ExpectRefused(conv, {{1, 4, 5, 6}, {4, 3, 3, 2}, {3}}, "wanted [6]");
  conv.groups = 3;
  ExpectRefused(conv, {{1, 4, 5, 6}, {4, 3, 3, 2}}, "divide into 3 groups");
  ConvTranspose padded;
  padded.window.pads = {5, 5};
  ExpectRefused(padded, {{1, 1, 4}, {1, 1, 3}}, "wanted at least 1");
  padded.window.pads = {};
  padded.output_shape = {3, 4};
  ExpectRefused(padded, {{1, 1, 4}, {1, 1, 3}}, "output_shape");
}

TEST(ImageShapesTest, PoolsAndUnpools) {
  Pool pool;
  pool.window.kernel = {2, 2};
  pool.window.strides = {2, 2};
  const auto shapes = ShapesOf(pool, {{1, 3, 7, 6}}, 2);
  ASSERT_TRUE(shapes.ok()) << shapes.status();
  EXPECT_EQ(*shapes, (std::vector<Shape>{{1, 3, 3, 3}, {1, 3, 3, 3}}));
  pool.kind = Pool::Kind::kLp;
  EXPECT_FALSE(ShapesOf(pool, {{1, 3, 7, 6}}, 2).ok());  // has no indices

  MaxUnpool unpool;
  unpool.window = pool.window;
  ExpectShape(unpool, {{1, 3, 3, 3}, {1, 3, 3, 3}}, {1, 3, 6, 6}, {{1, DataType::kInt64}});
  ExpectRefused(unpool, {{1, 3, 3, 3}, {1, 3, 3, 2}}, "wanted equal shapes",
                {{1, DataType::kInt64}});
  ExpectRefused(unpool, {{1, 3, 3, 3}, {1, 3, 3, 3}}, "wanted int64");
  ExpectRefused(unpool, {{1, 3, 3}, {1, 3, 3}}, "a window of 2", {{1, DataType::kInt64}});
}

TEST(ImageShapesTest, RegionsAndSamples) {
  MaxRoiPool pool;
  pool.pooled = {2, 3};
  ExpectShape(pool, {{1, 4, 9, 9}, {kAny, 5}}, {kAny, 4, 2, 3});
  ExpectRefused(pool, {{1, 4, 9, 9}, {7, 4}}, "wanted [?, 5]");
  RoiAlign align;
  align.output_height = 7;
  ExpectShape(align, {{1, 4, 9, 9}, {3, 4}, {3}}, {3, 4, 7, 1}, {{2, DataType::kInt64}});
  ExpectRefused(align, {{1, 4, 9, 9}, {3, 4}, {2}}, "wanted [2, 4]", {{2, DataType::kInt64}});
  ExpectRefused(align, {{1, 4, 9, 9}, {3, 4}, {3}}, "wanted int64");
  GridSample sample;
  ExpectShape(sample, {{2, 3, 9, 9}, {2, 5, 6, 2}}, {2, 3, 5, 6});
  ExpectShape(sample, {{2, 3, 9, 9, 9}, {kAny, 4, 5, 6, 3}}, {2, 3, 4, 5, 6});
  ExpectRefused(sample, {{2, 3, 9, 9}, {2, 5, 6, 3}}, "wanted [2, ?, ?, 2]");
  sample.mode = GridSample::Mode::kCubic;
  ExpectRefused(sample, {{2, 3, 9, 9, 9}, {2, 4, 5, 6, 3}}, "wanted 4 dimensions");
  ExpectShape(NonMaxSuppression{}, {{2, 100, 4}, {2, 3, 100}}, {kAny, 3});
  ExpectRefused(NonMaxSuppression{}, {{2, 90, 4}, {2, 3, 100}}, "wanted [2, 100, 4]");
}

TEST(ImageShapesTest, Normalizations) {
  Normalization layer;
  const auto shapes = ShapesOf(layer, {{2, 5, 8}, {8}, {5, 1}}, 3);
  ASSERT_TRUE(shapes.ok()) << shapes.status();
  EXPECT_EQ(*shapes, (std::vector<Shape>{{2, 5, 8}, {2, 5, 1}, {2, 5, 1}}));
  ExpectRefused(layer, {{2, 5, 8}, {7}}, "broadcasts to");
  layer.axis = 3;
  ExpectRefused(layer, {{2, 5, 8}, {8}}, "got axis 3");
  Normalization group;
  group.kind = Normalization::Kind::kGroup;
  group.groups = 3;
  ExpectShape(group, {{1, 6, 4}, {6}, {6}}, {1, 6, 4});
  ExpectRefused(group, {{1, 7, 4}, {7}, {7}}, "divide into 3 groups");
  ExpectRefused(group, {{1, 6, 4}, {3}, {6}}, "one per channel");
  ExpectRefused(LpNormalization{.axis = 2, .p = 2}, {{4, 4}}, "got axis 2");
  ExpectShape(LocalResponseNorm{}, {{1, 6, 4}}, {1, 6, 4});
}

// ---- Resize: scales, sizes and regions are constants.

absl::StatusOr<Shape> Resized(const Resize& resize, const Shape& x,
                              const std::vector<float>& scales, const std::vector<int64_t>& sizes) {
  GraphBuilder b;
  const ValueId none = GraphBuilder::kNone;
  b.Output(b.Add(resize,
                 {b.Input("x", x),
                  scales.empty() ? none : b.Constant({static_cast<int64_t>(scales.size())}, scales),
                  sizes.empty() ? none : b.Integers(sizes)}));
  Graph graph = b.BuildUnchecked();
  if (absl::Status status = InferShapes(graph); !status.ok()) return status;
  return *graph.value(graph.outputs[0]).shape;
}

TEST(ImageShapesTest, Resize) {
  Resize resize;
  EXPECT_EQ(*Resized(resize, {1, 3, 7, kAny}, {1, 1, 0.5f, 2}, {}), (Shape{1, 3, 3, kAny}));
  EXPECT_EQ(*Resized(resize, {kAny, 3, 7, 5}, {}, {2, 3, 4, 9}), (Shape{2, 3, 4, 9}));
  resize.axes = {3, -2};
  EXPECT_EQ(*Resized(resize, {1, 3, 7, 5}, {2, 3}, {}), (Shape{1, 3, 21, 10}));
  resize.aspect = Resize::Aspect::kNotLarger;  // 9/5 and 10/7: 10/7
  EXPECT_EQ(*Resized(resize, {1, 3, 7, 5}, {}, {9, 10}), (Shape{1, 3, 10, 7}));
  resize.aspect = Resize::Aspect::kNotSmaller;  // 9/5
  EXPECT_EQ(*Resized(resize, {1, 3, 7, 5}, {}, {9, 10}), (Shape{1, 3, 13, 9}));
  EXPECT_EQ(*Resized(resize, {1, 3, kAny, 5}, {}, {9, 10}), (Shape{1, 3, kAny, kAny}));

  const auto refused = [&](const std::vector<float>& scales, const std::vector<int64_t>& sizes) {
    const auto got = Resized(resize, {1, 3, 7, 5}, scales, sizes);
    EXPECT_EQ(got.status().code(), absl::StatusCode::kInvalidArgument);
    return std::string(got.status().message());
  };
  EXPECT_THAT(refused({1, 1, 2, 2}, {}), HasSubstr("got 4 scales, wanted 2"));
  EXPECT_THAT(refused({}, {1, 3, 4, 4}), HasSubstr("got 4 sizes, wanted 2"));
  EXPECT_THAT(refused({0, 1}, {}), HasSubstr("got scale 0"));
  EXPECT_THAT(refused({65537.0f, 1}, {}), HasSubstr("up to 65536"));
  EXPECT_THAT(refused({}, {-1, 3}), HasSubstr("got size -1"));
  resize.axes = {2, -2};
  EXPECT_THAT(refused({1, 1}, {}), HasSubstr("each once"));
  resize.axes = {4, 2};
  EXPECT_THAT(refused({1, 1}, {}), HasSubstr("got axes"));
}

// ---- NonMaxSuppression

std::vector<int64_t> Selected(const NonMaxSuppression& select, const std::vector<float>& boxes,
                              const Shape& scores_shape, const std::vector<float>& scores,
                              int64_t most, float overlap, float score) {
  const TensorPtr inputs[] = {
      Tensor::Of(DataType::kFloat32, {scores_shape[0], scores_shape[2], 4}, boxes),
      Tensor::Of(DataType::kFloat32, scores_shape, scores),
      Tensor::Of<int64_t>(DataType::kInt64, {1}, {most}),
      Tensor::Of<float>(DataType::kFloat32, {1}, {overlap}),
      Tensor::Of<float>(DataType::kFloat32, {1}, {score})};
  std::vector<const Tensor*> pointers;
  for (const TensorPtr& input : inputs) pointers.push_back(input.get());
  const auto result = RunDynamic(select, pointers);
  EXPECT_TRUE(result.ok()) << result.status();
  const auto numbers = (*result)[0]->as<int64_t>();
  EXPECT_EQ((*result)[0]->shape(), (Shape{static_cast<int64_t>(numbers.size() / 3), 3}));
  return {numbers.begin(), numbers.end()};
}

TEST(NonMaxSuppressionTest, KeepsTheBestOfBoxesThatOverlap) {
  // Two pairs: boxes 0 and 1 share 9/11 of their union, 2 and 3 touch.
  const std::vector<float> boxes = {0, 0, 1, 10, 0, 1, 1, 11, 5, 0, 6, 1, 5, 1, 6, 2};
  const std::vector<float> scores = {0.5f, 0.9f, 0.9f, 0.1f};
  using Numbers = std::vector<int64_t>;
  EXPECT_EQ(Selected({}, boxes, {1, 1, 4}, scores, 9, 0.5f, 0.0f),
            (Numbers{0, 0, 1, 0, 0, 2, 0, 0, 3}));
  EXPECT_EQ(Selected({}, boxes, {1, 1, 4}, scores, 9, 0.9f, 0.0f),
            (Numbers{0, 0, 1, 0, 0, 2, 0, 0, 0, 0, 0, 3}));
  EXPECT_EQ(Selected({}, boxes, {1, 1, 4}, scores, 9, 0.5f, 0.1f), (Numbers{0, 0, 1, 0, 0, 2}));
  EXPECT_EQ(Selected({}, boxes, {1, 1, 4}, scores, 1, 0.5f, 0.0f), (Numbers{0, 0, 1}));
  EXPECT_EQ(Selected({}, boxes, {1, 1, 4}, scores, 0, 0.5f, 0.0f), Numbers{});
  EXPECT_EQ(Selected({}, boxes, {1, 2, 4}, {0, 1, 0, 0, 1, 0, 0, 0}, 1, 0.5f, 0.5f),
            (Numbers{0, 0, 1, 0, 1, 0}));
  // As centres and sizes boxes 0 and 1 do not meet.
  const std::vector<float> centered = {0, 0, 1, 1, 5, 5, 1, 1};
  EXPECT_EQ(Selected({.center_point_box = true}, centered, {1, 1, 2}, {0.2f, 0.3f}, 9, 0.0f, 0.0f),
            (Numbers{0, 0, 1, 0, 0, 0}));
}

}  // namespace
}  // namespace fourfold::graph
