// Operators that move, select and repeat elements: each on a few numbers.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/tflite/model_builder.h"

namespace fourfold::tflite {
namespace {

using ::testing::ElementsAre;
using ::testing::FloatNear;
using ::testing::Pointwise;

// One operator on x of the given shape, elements 1, 2, 3, ...
struct Moved {
  ModelBuilder b;
  int x, y;
  std::vector<float> elements;

  explicit Moved(const ModelBuilder::Shape& shape) {
    x = b.Input("x", shape);
    y = b.Tensor("y", {});
    int32_t count = 1;
    for (int32_t dim : shape) count *= dim;
    for (int32_t i = 0; i < count; ++i) elements.push_back(static_cast<float>(i + 1));
  }
  std::vector<float> Result() {
    b.Output(y);
    file = b.Bytes();
    return Answer(file, {elements});
  }
  graph::Shape ResultShape() const {
    const graph::Graph graph = Imported(file);
    return *graph.value(graph.outputs[0]).shape;
  }
  std::vector<std::byte> file;
};

TEST(ReshapeTest, TakesItsShapeFromTheInput) {
  Moved m({1, 2, 3});
  m.b.Operator(Code::RESHAPE, {m.x, m.b.Ints("shape", {3, -1})}, {m.y});
  EXPECT_THAT(m.Result(), ElementsAre(1, 2, 3, 4, 5, 6));
  EXPECT_EQ(m.ResultShape(), (graph::Shape{3, 2}));
}

TEST(ReshapeTest, TakesItsShapeFromTheOptions) {
  Moved m({1, 2, 3});
  m.b.Operator(Code::RESHAPE, {m.x}, {m.y},
               schema::CreateReshapeOptions(m.b.fbb, m.b.fbb.CreateVector<int32_t>({6, 1})));
  m.Result();
  EXPECT_EQ(m.ResultShape(), (graph::Shape{6, 1}));
}

// What Keras makes of Flatten where the batch varies: [shape(x)[0], -1].
TEST(ReshapeTest, TakesAShapeThatIsComputedFromTheInputs) {
  ModelBuilder b;
  const auto kInt32 = schema::TensorType::INT32;
  const int x = b.Input("x", {1, 2, 3}, schema::TensorType::FLOAT32, {}, {-1, 2, 3});
  const int dims = b.Tensor("dims", {3}, kInt32), batch = b.Tensor("batch", {}, kInt32);
  const int shape = b.Tensor("shape", {2}, kInt32), y = b.Tensor("y", {1, 6});
  b.Operator(Code::SHAPE, {x}, {dims});
  b.Operator(Code::STRIDED_SLICE, {dims, b.Ints("0", {0}), b.Ints("1", {1}), b.Ints("s", {1})},
             {batch}, schema::CreateStridedSliceOptions(b.fbb, 0, 0, 0, 0, 1));
  b.Operator(Code::PACK, {batch, b.Constant<int32_t>("rest", {}, kInt32, {-1})}, {shape},
             schema::CreatePackOptions(b.fbb, 2, 0));
  b.Operator(Code::RESHAPE, {x, shape}, {y});
  b.Output(y);
  EXPECT_THAT(Answer(b.Bytes(), {{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}}, 2),
              ElementsAre(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12));
}

TEST(SqueezeTest, RemovesTheGivenDimensions) {
  Moved m({1, 2, 1});
  m.b.Operator(Code::SQUEEZE, {m.x}, {m.y},
               schema::CreateSqueezeOptions(m.b.fbb, m.b.fbb.CreateVector<int32_t>({2})));
  m.Result();
  EXPECT_EQ(m.ResultShape(), (graph::Shape{1, 2}));
}

TEST(ExpandDimsTest, CountsANegativeAxisFromTheEnd) {
  Moved m({1, 2});
  m.b.Operator(Code::EXPAND_DIMS,
               {m.x, m.b.Constant<int32_t>("a", {}, schema::TensorType::INT32, {-1})}, {m.y});
  m.Result();
  EXPECT_EQ(m.ResultShape(), (graph::Shape{1, 2, 1}));
}

TEST(TransposeTest, PermutesDimensions) {
  Moved m({2, 3});
  m.b.Operator(Code::TRANSPOSE, {m.x, m.b.Ints("p", {1, 0})}, {m.y});
  EXPECT_THAT(m.Result(), ElementsAre(1, 4, 2, 5, 3, 6));
}

TEST(PadTest, PutsZerosAround) {
  Moved m({1, 2});
  m.b.Operator(Code::PAD,
               {m.x, m.b.Constant<int32_t>("p", {2, 2}, schema::TensorType::INT32, {0, 1, 2, 0})},
               {m.y});
  EXPECT_THAT(m.Result(), ElementsAre(0, 0, 1, 2, 0, 0, 0, 0));
}

TEST(PadTest, PutsAGivenNumberAround) {
  Moved m({1, 2});
  const int pads = m.b.Constant<int64_t>("p", {2, 2}, schema::TensorType::INT64, {0, 0, 1, 1});
  m.b.Operator(Code::PADV2, {m.x, pads, m.b.Floats("v", {}, {7})}, {m.y});
  EXPECT_THAT(m.Result(), ElementsAre(7, 1, 2, 7));
}

TEST(MirrorPadTest, ReflectsWithAndWithoutTheEdge) {
  for (const auto mode : {schema::MirrorPadMode::REFLECT, schema::MirrorPadMode::SYMMETRIC}) {
    Moved m({1, 3});
    m.b.Operator(Code::MIRROR_PAD,
                 {m.x, m.b.Constant<int32_t>("p", {2, 2}, schema::TensorType::INT32, {0, 0, 2, 1})},
                 {m.y}, schema::CreateMirrorPadOptions(m.b.fbb, mode));
    if (mode == schema::MirrorPadMode::REFLECT) {
      EXPECT_THAT(m.Result(), ElementsAre(3, 2, 1, 2, 3, 2));
    } else {
      EXPECT_THAT(m.Result(), ElementsAre(2, 1, 1, 2, 3, 3));
    }
  }
}

TEST(ConcatenationTest, JoinsAlongAnAxisFromTheEnd) {
  Moved m({2, 1});
  m.b.Operator(Code::CONCATENATION, {m.x, m.b.Floats("c", {2, 2}, {5, 6, 7, 8})}, {m.y},
               schema::CreateConcatenationOptions(m.b.fbb, -1));
  EXPECT_THAT(m.Result(), ElementsAre(1, 5, 6, 2, 7, 8));
}

TEST(PackTest, StacksAlongANewAxis) {
  Moved m({2});
  m.b.Operator(Code::PACK, {m.x, m.b.Floats("c", {2}, {5, 6})}, {m.y},
               schema::CreatePackOptions(m.b.fbb, 2, 1));
  EXPECT_THAT(m.Result(), ElementsAre(1, 5, 2, 6));
  EXPECT_EQ(m.ResultShape(), (graph::Shape{2, 2}));
}

TEST(UnpackTest, TakesTheStackApart) {
  Moved m({2, 2});
  const int first = m.b.Tensor("first", {2});
  m.b.Operator(Code::UNPACK, {m.x}, {first, m.y}, schema::CreateUnpackOptions(m.b.fbb, 2, 1));
  EXPECT_THAT(m.Result(), ElementsAre(2, 4));
  EXPECT_EQ(m.ResultShape(), (graph::Shape{2}));
}

TEST(SplitTest, MakesEqualParts) {
  Moved m({1, 4});
  const int first = m.b.Tensor("first", {1, 2});
  m.b.Operator(Code::SPLIT, {m.b.Constant<int32_t>("a", {}, schema::TensorType::INT32, {1}), m.x},
               {first, m.y}, schema::CreateSplitOptions(m.b.fbb, 2));
  EXPECT_THAT(m.Result(), ElementsAre(3, 4));
}

TEST(SplitTest, MakesPartsOfGivenSizesAndARest) {
  Moved m({1, 6});
  const int first = m.b.Tensor("first", {1, 1}), last = m.b.Tensor("last", {1, 2});
  m.b.Operator(Code::SPLIT_V,
               {m.x, m.b.Ints("sizes", {1, -1, 2}),
                m.b.Constant<int32_t>("a", {}, schema::TensorType::INT32, {-1})},
               {first, m.y, last}, schema::CreateSplitVOptions(m.b.fbb, 3));
  EXPECT_THAT(m.Result(), ElementsAre(2, 3, 4));
}

TEST(SliceTest, TakesSizeElementsFromBegin) {
  Moved m({2, 3});
  m.b.Operator(Code::SLICE, {m.x, m.b.Ints("begin", {0, 1}), m.b.Ints("size", {-1, 2})}, {m.y});
  EXPECT_THAT(m.Result(), ElementsAre(2, 3, 5, 6));
}

struct Strided {
  std::vector<int32_t> begin, end, strides;
  int begin_mask, end_mask, ellipsis_mask, new_axis_mask, shrink_axis_mask;
  bool offset;
  std::vector<float> wanted;  // of [2, 3] = 1 .. 6
  graph::Shape shape;
};
class StridedSliceTest : public ::testing::TestWithParam<Strided> {};
TEST_P(StridedSliceTest, ReadsItsMasks) {
  const Strided& s = GetParam();
  Moved m({2, 3});
  m.b.Operator(
      Code::STRIDED_SLICE,
      {m.x, m.b.Ints("begin", s.begin), m.b.Ints("end", s.end), m.b.Ints("strides", s.strides)},
      {m.y},
      schema::CreateStridedSliceOptions(m.b.fbb, s.begin_mask, s.end_mask, s.ellipsis_mask,
                                        s.new_axis_mask, s.shrink_axis_mask, s.offset));
  EXPECT_THAT(m.Result(), Pointwise(FloatNear(0), s.wanted));
  EXPECT_EQ(m.ResultShape(), s.shape);
}
INSTANTIATE_TEST_SUITE_P(
    Masks, StridedSliceTest,
    ::testing::Values(
        Strided{{0, 1}, {2, 3}, {1, 1}, 0, 0, 0, 0, 0, false, {2, 3, 5, 6}, {2, 2}},
        Strided{{1, 2}, {0, 0}, {1, -1}, 0, 3, 0, 0, 0, false, {6, 5, 4}, {1, 3}},  // x[1:, 2::-1]
        Strided{{9, 9}, {1, -1}, {1, 1}, 3, 0, 0, 0, 0, false, {1, 2}, {1, 2}},     // x[:1, :-1]
        Strided{{0, -1}, {0, 0}, {1, 1}, 1, 1, 0, 0, 2, false, {3, 6}, {2}},        // x[:, -1]
        Strided{{0, 1}, {0, 2}, {1, 1}, 0, 0, 1, 0, 2, false, {2, 5}, {2}},         // x[..., 1]
        Strided{{0, 0, 0}, {0, 0, 2}, {1, 1, 1}, 2, 2, 0, 1, 0, false, {1, 2, 4, 5}, {1, 2, 2}},
        Strided{{0, 1}, {1, 2}, {1, 1}, 0, 0, 0, 0, 0, true, {2, 3}, {1, 2}},  // end = begin + 2
        Strided{{0}, {2}, {1}, 0, 0, 0, 0, 0, false, {1, 2, 3, 4, 5, 6}, {2, 3}}));

TEST(GatherTest, TakesRowsByIndex) {
  Moved m({3, 2});
  m.b.Operator(Code::GATHER, {m.x, m.b.Ints("rows", {2, 0})}, {m.y},
               schema::CreateGatherOptions(m.b.fbb, 0));
  EXPECT_THAT(m.Result(), ElementsAre(5, 6, 1, 2));
}

TEST(FillTest, RepeatsTheValue) {
  Moved m({1});
  m.b.Operator(Code::FILL, {m.b.Ints("dims", {2, 2}), m.x}, {m.y});
  EXPECT_THAT(m.Result(), ElementsAre(1, 1, 1, 1));
}

TEST(BroadcastToTest, RepeatsAlongDimensions) {
  Moved m({2, 1});
  m.b.Operator(Code::BROADCAST_TO, {m.x, m.b.Ints("dims", {2, 2})}, {m.y});
  EXPECT_THAT(m.Result(), ElementsAre(1, 1, 2, 2));
}

TEST(TileTest, RepeatsTheWhole) {
  Moved m({1, 2});
  m.b.Operator(Code::TILE, {m.x, m.b.Ints("repeats", {2, 2})}, {m.y});
  EXPECT_THAT(m.Result(), ElementsAre(1, 2, 1, 2, 1, 2, 1, 2));
}

TEST(DepthToSpaceTest, ChannelsBecomeRowsAndColumns) {
  Moved m({1, 1, 2, 4});
  m.b.Operator(Code::DEPTH_TO_SPACE, {m.x}, {m.y}, schema::CreateDepthToSpaceOptions(m.b.fbb, 2));
  EXPECT_THAT(m.Result(), ElementsAre(1, 2, 5, 6, 3, 4, 7, 8));
  EXPECT_EQ(m.ResultShape(), (graph::Shape{1, 2, 4, 1}));
}

TEST(SpaceToDepthTest, RowsAndColumnsBecomeChannels) {
  Moved m({1, 2, 4, 1});
  m.b.Operator(Code::SPACE_TO_DEPTH, {m.x}, {m.y}, schema::CreateSpaceToDepthOptions(m.b.fbb, 2));
  EXPECT_THAT(m.Result(), ElementsAre(1, 2, 5, 6, 3, 4, 7, 8));
  EXPECT_EQ(m.ResultShape(), (graph::Shape{1, 1, 2, 4}));
}

// x = 1 2 / 3 4 with one channel, to 4 columns and 2 rows.
struct Resized {
  Code code;
  bool align_corners, half_pixel_centers;
  std::vector<float> wanted;  // of the first row
};
class ResizeTest : public ::testing::TestWithParam<Resized> {};
TEST_P(ResizeTest, TakesCoordinatesAsTheOptionsSay) {
  const Resized& r = GetParam();
  Moved m({1, 2, 2, 1});
  const int size = m.b.Ints("size", {2, 4});
  if (r.code == Code::RESIZE_BILINEAR) {
    m.b.Operator(
        r.code, {m.x, size}, {m.y},
        schema::CreateResizeBilinearOptions(m.b.fbb, 0, 0, r.align_corners, r.half_pixel_centers));
  } else {
    m.b.Operator(
        r.code, {m.x, size}, {m.y},
        schema::CreateResizeNearestNeighborOptions(m.b.fbb, r.align_corners, r.half_pixel_centers));
  }
  std::vector<float> row = m.Result();
  ASSERT_EQ(row.size(), 8u);
  EXPECT_FLOAT_EQ(row[4], row[0] + 2);
  row.resize(4);
  EXPECT_THAT(row, Pointwise(FloatNear(1e-6f), r.wanted));
}
INSTANTIATE_TEST_SUITE_P(
    Coordinates, ResizeTest,
    ::testing::Values(Resized{Code::RESIZE_BILINEAR, false, false, {1, 1.5f, 2, 2}},
                      Resized{Code::RESIZE_BILINEAR, true, false, {1, 4 / 3.0f, 5 / 3.0f, 2}},
                      Resized{Code::RESIZE_BILINEAR, false, true, {1, 1.25f, 1.75f, 2}},
                      Resized{Code::RESIZE_NEAREST_NEIGHBOR, false, false, {1, 1, 2, 2}},
                      Resized{Code::RESIZE_NEAREST_NEIGHBOR, true, false, {1, 1, 2, 2}},
                      Resized{Code::RESIZE_NEAREST_NEIGHBOR, false, true, {1, 1, 2, 2}}));

}  // namespace
}  // namespace fourfold::tflite
