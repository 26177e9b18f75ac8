// What plans compute, against numbers worked out by hand.

#include <gmock/gmock.h>

#include <cmath>

#include "server/passes/passes.h"
#include "tests/runtime/run_graph.h"

namespace fourfold::runtime {
namespace {

using fourfold::testing::Bytes;
using fourfold::testing::Compile;
using fourfold::testing::FromBytes;
using fourfold::testing::GraphBuilder;
using fourfold::testing::RunFloat;
using fourfold::testing::RunPlan;
using fourfold::testing::ToBytes;
using graph::DataType;
using graph::Graph;
using graph::ValueId;
using ::testing::ElementsAre;
using ::testing::FloatNear;
using ::testing::Pointwise;

using Floats = std::vector<float>;

// Both engines' answers to one input.
void ExpectValues(const Graph& graph, const std::vector<Floats>& inputs, const Floats& wanted) {
  for (const char* engine : {"", "reference"}) {
    EXPECT_THAT(RunFloat(graph, inputs, 1, engine), Pointwise(FloatNear(1e-5f), wanted))
        << "engine " << engine;
  }
}

TEST(PlanValuesTest, ConvolvesWithPaddingAndBias) {
  GraphBuilder b;
  graph::Conv conv;
  conv.window.pads = {1, 1, 1, 1};
  const ValueId x = b.Input("x", {1, 1, 2, 2});
  b.Output(b.Conv(x, b.Filled({1, 1, 3, 3}, 1), b.Constant({1}, {0.5f}), conv));
  ExpectValues(b.Build(), {{1, 2, 3, 4}}, {10.5f, 10.5f, 10.5f, 10.5f});
}

TEST(PlanValuesTest, ConvolvesChannelsByThemselvesWithStrides) {
  GraphBuilder b;
  graph::Conv conv;
  conv.groups = 2;
  conv.window.strides = {2, 2};
  const ValueId x = b.Input("x", {1, 2, 3, 3});
  b.Output(b.Conv(x, b.Constant({2, 1, 1, 1}, {2, -1}), GraphBuilder::kNone, conv));
  ExpectValues(b.Build(), {{1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 8, 7, 6, 5, 4, 3, 2, 1}},
               {2, 6, 14, 18, -9, -7, -3, -1});
}

TEST(PlanValuesTest, ConvolvesOneDimensionWithDilation) {
  GraphBuilder b;
  graph::Conv conv;
  conv.window.dilations = {2};
  const ValueId x = b.Input("x", {1, 1, 5});
  b.Output(b.Conv(x, b.Constant({1, 1, 2}, {1, 10}), GraphBuilder::kNone, conv));
  ExpectValues(b.Build(), {{1, 2, 3, 4, 5}}, {31, 42, 53});
}

TEST(PlanValuesTest, AddsBiasOfAnyShapeBehindAMatrixProduct) {
  for (const auto& [shape, bias, wanted] : std::vector<std::tuple<graph::Shape, Floats, Floats>>{
           {{2}, {10, 20}, {11, 22, 13, 24}},
           {{1, 2}, {10, 20}, {11, 22, 13, 24}},
           {{2, 1}, {10, 20}, {11, 12, 23, 24}},
           {{}, {10}, {11, 12, 13, 14}},
           {{2, 2}, {1, 2, 3, 4}, {2, 4, 6, 8}}}) {
    GraphBuilder b;
    const ValueId x = b.Input("x", {2, 2});
    b.Output(b.MatMul(x, b.Constant({2, 2}, {1, 0, 0, 1}), b.Constant(shape, bias)));
    SCOPED_TRACE(graph::ShapeText(shape));
    ExpectValues(b.Build(), {{1, 2, 3, 4}}, wanted);
  }
}

TEST(PlanValuesTest, AddsAScalarBiasToOneColumn) {
  GraphBuilder b;
  const ValueId x = b.Input("x", {2, 2});
  b.Output(b.MatMul(x, b.Constant({2, 1}, {1, 1}), b.Scalar(0.5f)));
  ExpectValues(b.Build(), {{1, 2, 3, 4}}, {3.5f, 7.5f});
}

TEST(PlanValuesTest, MultipliesWithTransposesAndComputedBias) {
  GraphBuilder b;
  const ValueId x = b.Input("x", {2, 3});
  const ValueId c = b.Input("c", {1, 2});
  graph::MatMul matmul;
  matmul.transpose_lhs = true;
  matmul.activation = {kernels::Activation::Kind::kRelu, 0, 0};
  b.Output(b.MatMul(x, b.Constant({2, 2}, {1, -1, 0, 1}), c, matmul));
  // x' = [[1,4],[2,5],[3,6]]; times [[1,-1],[0,1]] = [[1,3],[2,3],[3,3]].
  ExpectValues(b.Build(), {{1, 2, 3, 4, 5, 6}, {-2, 1}}, {0, 4, 0, 4, 1, 4});
}

TEST(PlanValuesTest, MultipliesBatchesThatBroadcastBothWays) {
  GraphBuilder b;
  const ValueId x = b.Input("x", {2, 1, 1, 2});
  const ValueId y = b.Input("y", {3, 2, 1});
  b.Output(b.MatMul(x, y));
  // x rows (1,2) and (3,4); y columns (1,1), (1,0), (0,2): dot products of each with each.
  ExpectValues(b.Build(), {{1, 2, 3, 4}, {1, 1, 1, 0, 0, 2}}, {3, 1, 4, 7, 3, 8});
}

TEST(PlanValuesTest, MultipliesVectors) {
  GraphBuilder b;
  const ValueId x = b.Input("x", {2});
  b.Output(b.MatMul(x, b.Constant({2, 3}, {1, 2, 3, 4, 5, 6})));
  ExpectValues(b.Build(), {{1, 10}}, {41, 52, 63});
  GraphBuilder dot;
  dot.Output(dot.MatMul(dot.Input("x", {2}), dot.Input("y", {2})));
  ExpectValues(dot.Build(), {{1, 10}, {3, 4}}, {43});
}

TEST(PlanValuesTest, PoolsWithAndWithoutPadding) {
  graph::Pool pool;
  pool.kind = graph::Pool::Kind::kAverage;
  pool.window.kernel = {2, 2};
  pool.window.pads = {1, 1, 0, 0};
  for (const bool include : {false, true}) {
    pool.count_include_pad = include;
    GraphBuilder b;
    b.Output(b.Add(pool, {b.Input("x", {1, 1, 2, 2})}));
    ExpectValues(b.Build(), {{1, 2, 3, 4}},
                 include ? Floats{0.25f, 0.75f, 1, 2.5f} : Floats{1, 1.5f, 2, 2.5f});
  }
  GraphBuilder b;
  b.Output(b.MaxPool(b.Input("x", {1, 1, 2, 3}), {2, 2}));
  ExpectValues(b.Build(), {{-1, -2, -3, -4, -5, 0}}, {-1, 0});
}

TEST(PlanValuesTest, SlicesBackwards) {
  GraphBuilder b;
  const ValueId x = b.Input("x", {2, 4});
  b.Output(b.Add(graph::Slice{}, {x, b.Integers({-1, 100}), b.Integers({-100, -100}),
                                  b.Integers({0, 1}), b.Integers({-1, -2})}));
  ExpectValues(b.Build(), {{1, 2, 3, 4, 5, 6, 7, 8}}, {8, 6, 4, 2});
}

TEST(PlanValuesTest, SlicesOneElementWithASenselessStep) {
  GraphBuilder b;
  const ValueId x = b.Input("x", {2, 4});
  b.Output(b.Add(graph::Slice{},
                 {x, b.Integers({1}), b.Integers({2}), b.Integers({0}), b.Integers({INT64_MAX})}));
  ExpectValues(b.Build(), {{1, 2, 3, 4, 5, 6, 7, 8}}, {5, 6, 7, 8});
}

TEST(PlanValuesTest, GathersCountingFromBothEnds) {
  GraphBuilder b;
  const ValueId x = b.Input("x", {2, 3});
  b.Output(b.Add(graph::Gather{1}, {x, b.Integers({-1, 0, 2})}));
  ExpectValues(b.Build(), {{1, 2, 3, 4, 5, 6}}, {3, 1, 3, 6, 4, 6});
}

TEST(PlanValuesTest, PadsEachWay) {
  using Mode = graph::Pad::Mode;
  for (const auto& [mode, wanted] :
       std::vector<std::pair<Mode, Floats>>{{Mode::kConstant, {9, 9, 1, 2, 3, 9}},
                                            {Mode::kReflect, {3, 2, 1, 2, 3, 2}},
                                            {Mode::kEdge, {1, 1, 1, 2, 3, 3}},
                                            {Mode::kWrap, {2, 3, 1, 2, 3, 1}}}) {
    GraphBuilder b;
    const ValueId x = b.Input("x", {1, 3});
    b.Output(b.Add(graph::Pad{mode}, {x, b.Integers({0, 2, 0, 1}), b.Scalar(9)}));
    ExpectValues(b.Build(), {{1, 2, 3}}, wanted);
  }
  GraphBuilder b;
  b.Output(b.Add(graph::Pad{}, {b.Input("x", {1, 3}), b.Integers({0, 0, 0, -1})}));
  ExpectValues(b.Build(), {{1, 2, 3}}, {1, 2});
}

TEST(PlanValuesTest, PadsWithZeroWhereTheValueIsEmpty) {
  GraphBuilder b;
  b.Output(b.Add(graph::Pad{}, {b.Input("x", {1, 1}), b.Integers({0, 0, 0, 1}),
                                b.Constant({0}, std::vector<float>{})}));
  ExpectValues(b.Build(), {{7}}, {7, 0});
}

TEST(PlanValuesTest, Resizes) {
  graph::Resize resize;
  resize.coordinates = graph::Resize::Coordinates::kAsymmetric;
  resize.nearest = graph::Resize::Nearest::kFloor;
  GraphBuilder b;
  b.Output(b.Add(resize, {b.Input("x", {1, 1, 1, 2}), b.Constant({4}, {1, 1, 2, 2})}));
  ExpectValues(b.Build(), {{1, 2}}, {1, 1, 2, 2, 1, 1, 2, 2});
  resize.mode = graph::Resize::Mode::kLinear;
  resize.coordinates = graph::Resize::Coordinates::kAlignCorners;
  GraphBuilder l;
  l.Output(
      l.Add(resize, {l.Input("x", {1, 1, 1, 2}), GraphBuilder::kNone, l.Integers({1, 1, 1, 3})}));
  ExpectValues(l.Build(), {{1, 2}}, {1, 1.5f, 2});
}

TEST(PlanValuesTest, ReducesAnyAxes) {
  GraphBuilder b;
  graph::Reduce reduce;
  reduce.operation = graph::Reduce::Operation::kSum;
  reduce.axes = {-2};
  reduce.keep_dims = false;
  b.Output(b.Add(reduce, {b.Input("x", {1, 2, 3})}));
  ExpectValues(b.Build(), {{1, 2, 3, 4, 5, 6}}, {5, 7, 9});
}

TEST(PlanValuesTest, BroadcastsBinaryOperandsOfFewerDimensions) {
  using Operation = graph::Binary::Operation;
  for (const auto& [operation, wanted] :
       std::vector<std::pair<Operation, Floats>>{{Operation::kAdd, {3, 6, 5, 8}},
                                                 {Operation::kSub, {-1, -2, 1, 0}},
                                                 {Operation::kMul, {2, 8, 6, 16}},
                                                 {Operation::kDiv, {0.5f, 0.5f, 1.5f, 1}},
                                                 {Operation::kMax, {2, 4, 3, 4}},
                                                 {Operation::kMin, {1, 2, 2, 4}},
                                                 {Operation::kPow, {1, 16, 9, 256}}}) {
    GraphBuilder b;
    b.Output(b.Binary(operation, b.Input("x", {1, 1, 2, 2}), b.Constant({2}, {2, 4})));
    ExpectValues(b.Build(), {{1, 2, 3, 4}}, wanted);
  }
}

TEST(PlanValuesTest, ExpandsAndConverts) {
  GraphBuilder b;
  const ValueId x = b.Input("x", {2, 1});
  const ValueId wide = b.Add(graph::Expand{}, {x, b.Integers({2, 3})});
  b.Output(b.Add(graph::Cast{DataType::kInt32}, {wide}));
  const auto plan = Compile(b.Build());
  EXPECT_THAT(FromBytes<int32_t>(RunPlan(*plan, {ToBytes(Floats{1.9f, -2.9f})})[0]),
              ElementsAre(1, 1, 1, -2, -2, -2));
}

TEST(PlanValuesTest, SoftmaxAlongAnyAxis) {
  GraphBuilder b;
  b.Output(b.Softmax(b.Input("x", {2, 2}), 0));
  const float e = std::exp(1.0f);
  ExpectValues(b.Build(), {{0, 5, 1, 5}}, {1 / (1 + e), 0.5f, e / (1 + e), 0.5f});
}

TEST(PlanValuesTest, ElementwiseFunctions) {
  using Function = graph::Eltwise::Function;
  for (const auto& [function, wanted] :
       std::vector<std::pair<Function, Floats>>{{Function::kAbs, {2.5f, 0.5f}},
                                                {Function::kCeil, {-2, 1}},
                                                {Function::kFloor, {-3, 0}},
                                                {Function::kNeg, {2.5f, -0.5f}},
                                                {Function::kRound, {-2, 0}},
                                                {Function::kSign, {-1, 1}},
                                                {Function::kReciprocal, {-0.4f, 2}},
                                                {Function::kExp, {0.0820850f, 1.6487213f}},
                                                {Function::kErf, {-0.9995930f, 0.5204999f}},
                                                {Function::kSoftsign, {-0.7142857f, 0.3333333f}}}) {
    GraphBuilder b;
    b.Output(b.Eltwise(b.Input("x", {2}), function));
    ExpectValues(b.Build(), {{-2.5f, 0.5f}}, wanted);
  }
}

// ---- Integers. scale 0.5, zero point 10: stored 12 means 1.

Graph Absorbed(Graph graph) {
  EXPECT_TRUE(passes::Optimize(graph).ok());
  return graph;
}

TEST(PlanValuesTest, IntegerMatMulRequantizesAndSaturates) {
  GraphBuilder b;
  const ValueId x = b.QuantizeDequantize(b.Input("x", {1, 2}), 0.5f, 10);
  const ValueId y =
      b.MatMul(x, b.QuantizedWeights({2, 3}, {1, 100, -127, 3, 100, -127}, {0.5f, 1.0f, 1.0f}, 1),
               b.Constant({3}, {0.25f, 0, 0}));
  b.Output(b.QuantizeDequantize(y, 0.25f, 128));
  const Graph graph = Absorbed(b.Build());
  const auto plan = Compile(graph);
  ASSERT_EQ(fourfold::testing::CountSteps(*plan, "MatMul"), 1u);
  for (const StepInfo& step : plan->steps()) {
    if (step.operation == "MatMul") {
      EXPECT_EQ(step.arithmetic, "int8");
    }
  }
  // x = (1, 2): 0.5 * (1 + 6) + 0.25 = 3.75; 300 and -381 saturate at (255-128)/4 and -128/4.
  ExpectValues(graph, {{1, 2}}, {3.75f, 31.75f, -32});
}

TEST(PlanValuesTest, IntegerConvolutionPadsWithTheRealZero) {
  GraphBuilder b;
  graph::Conv conv;
  conv.window.pads = {1, 1, 1, 1};
  const ValueId x = b.QuantizeDequantize(b.Input("x", {1, 1, 1, 1}), 0.5f, 10);
  b.Output(b.Conv(x, b.QuantizedWeights({1, 1, 3, 3}, {1, 2, 3, 4, 5, 6, 7, 8, 9}, {1.0f}, 0),
                  GraphBuilder::kNone, conv));
  ExpectValues(Absorbed(b.Build()), {{3}}, {15});
}

TEST(PlanValuesTest, ConcatBringsPartsToOneScale) {
  GraphBuilder b;
  const ValueId x = b.QuantizeDequantize(b.Input("x", {1, 1, 1, 2}), 0.5f, 10);
  const ValueId y = b.QuantizeDequantize(b.Input("y", {1, 1, 1, 2}), 0.25f, 0);
  b.Output(b.QuantizeDequantize(b.Concat({x, y}, 1), 1.0f, 100));
  // 0.5 and 1.5 round to even integers.
  ExpectValues(Absorbed(b.Build()), {{0.5f, -3}, {1.5f, 60}}, {0, -3, 2, 60});
}

TEST(PlanValuesTest, IntegerAdditionOfDifferentScales) {
  GraphBuilder b;
  const ValueId x = b.QuantizeDequantize(b.Input("x", {1, 2}), 0.5f, 10);
  const ValueId y = b.QuantizeDequantize(b.Input("y", {1, 2}), 0.25f, 0);
  b.Output(b.QuantizeDequantize(b.Sum(x, y), 1.0f, 3));
  const Graph graph = Absorbed(b.Build());
  EXPECT_EQ(fourfold::testing::CountSteps(*Compile(graph), "Dequantize"), 1u)
      << "of the output alone";
  ExpectValues(graph, {{1, -5}, {2, 1}}, {3, -3});
}

TEST(PlanValuesTest, PaddingOfIntegersIsTheRealValue) {
  GraphBuilder b;
  const ValueId x = b.QuantizeDequantize(b.Input("x", {1, 1}), 0.5f, 10);
  b.Output(b.QuantizeDequantize(b.Add(graph::Pad{}, {x, b.Integers({0, 1, 0, 1}), b.Scalar(2)}),
                                0.5f, 10));
  ExpectValues(Absorbed(b.Build()), {{-1}}, {2, -1, 2});
}

TEST(PlanValuesTest, HybridQuantizesEachSampleByItself) {
  GraphBuilder b;
  const ValueId x = b.DynamicQuantizeDequantize(b.Input("x", {2, 2}));
  b.Output(b.MatMul(x, b.QuantizedWeights({2, 1}, {1, 1}, {1.0f}, 1), b.Constant({1}, {0.5f})));
  const Graph graph = Absorbed(b.Build());
  // Sample 0 spans [0, 2.55]: scale 0.01. Sample 1 spans [0, 255]: scale 1, 0.4 rounds to 0.
  ExpectValues(graph, {{2.55f, 0.104f, 255, 0.4f}}, {2.55f + 0.10f + 0.5f, 255.5f});
}

}  // namespace
}  // namespace fourfold::runtime
