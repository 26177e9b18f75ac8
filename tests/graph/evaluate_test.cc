#include "server/graph/evaluate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "tests/testing/graph_builder.h"

namespace fourfold::graph {
namespace {

using ::fourfold::testing::GraphBuilder;
using ::testing::ElementsAre;
using ::testing::FloatNear;
using ::testing::Pointwise;

// The last node's result; null where it is not evaluated.
TensorPtr Evaluated(GraphBuilder& builder, size_t max_bytes = 1 << 20) {
  const Graph graph = builder.BuildUnchecked();
  const auto results = EvaluateConstant(graph, graph.nodes.back(), max_bytes);
  return results ? results->front() : nullptr;
}

ValueId Longs(GraphBuilder& b, Shape shape, const std::vector<int64_t>& elements) {
  return b.Constant(Tensor::Of<int64_t>(DataType::kInt64, std::move(shape), elements));
}

TEST(EvaluateTest, IntegerArithmeticBroadcastsAndTruncates) {
  const auto result = [](Binary::Operation operation) {
    GraphBuilder b;
    b.Binary(operation, Longs(b, {2, 1}, {7, -7}), Longs(b, {2}, {2, 3}));
    return Evaluated(b)->ToInt64();
  };
  EXPECT_THAT(result(Binary::Operation::kAdd), ElementsAre(9, 10, -5, -4));
  EXPECT_THAT(result(Binary::Operation::kSub), ElementsAre(5, 4, -9, -10));
  EXPECT_THAT(result(Binary::Operation::kMul), ElementsAre(14, 21, -14, -21));
  EXPECT_THAT(result(Binary::Operation::kDiv), ElementsAre(3, 2, -3, -2));
  EXPECT_THAT(result(Binary::Operation::kMax), ElementsAre(7, 7, 2, 3));
  EXPECT_THAT(result(Binary::Operation::kPow), ElementsAre(49, 343, 49, -343));
}

TEST(EvaluateTest, DivisionByZeroIsNotEvaluated) {
  GraphBuilder b;
  b.Binary(Binary::Operation::kDiv, b.Integers({1}), b.Integers({0}));
  EXPECT_EQ(Evaluated(b), nullptr);
}

TEST(EvaluateTest, FloatArithmeticAppliesTheFusedActivation) {
  GraphBuilder b;
  Binary binary;
  binary.activation.kind = kernels::Activation::Kind::kRelu;
  b.Add(binary, {b.Constant({3}, {-2, 0.5f, 1}), b.Scalar(1)});
  EXPECT_THAT(Evaluated(b)->ToFloat(), ElementsAre(0.0f, 1.5f, 2.0f));
}

TEST(EvaluateTest, TransposeMovesElements) {
  GraphBuilder b;
  b.Transpose(b.Constant({2, 3}, {0, 1, 2, 3, 4, 5}), {1, 0});
  const TensorPtr result = Evaluated(b);
  EXPECT_EQ(result->shape(), (Shape{3, 2}));
  EXPECT_THAT(result->ToFloat(), ElementsAre(0, 3, 1, 4, 2, 5));
}

TEST(EvaluateTest, SliceCountsBackwardsWithNegativeSteps) {
  GraphBuilder b;
  b.Add(Slice{}, {b.Constant({2, 4}, {0, 1, 2, 3, 4, 5, 6, 7}), b.Integers({-1}), b.Integers({-9}),
                  b.Integers({1}), b.Integers({-2})});
  EXPECT_THAT(Evaluated(b)->ToFloat(), ElementsAre(3, 1, 7, 5));
}

TEST(EvaluateTest, ConcatInterleavesAlongInnerAxes) {
  GraphBuilder b;
  b.Concat({b.Constant({2, 1}, {0, 1}), b.Constant({2, 2}, {2, 3, 4, 5})}, 1);
  EXPECT_THAT(Evaluated(b)->ToFloat(), ElementsAre(0, 2, 3, 1, 4, 5));
}

TEST(EvaluateTest, GatherTakesNegativeIndicesAndRefusesOthersOutside) {
  GraphBuilder b;
  b.Add(Gather{1}, {b.Constant({2, 3}, {0, 1, 2, 3, 4, 5}), b.Integers({-1, 0})});
  EXPECT_THAT(Evaluated(b)->ToFloat(), ElementsAre(2, 0, 5, 3));
  GraphBuilder outside;
  outside.Add(Gather{0}, {outside.Constant({2}, {0, 1}), outside.Integers({2})});
  EXPECT_EQ(Evaluated(outside), nullptr);
}

TEST(EvaluateTest, ExpandAndFillRepeat) {
  GraphBuilder expand;
  expand.Add(Expand{}, {expand.Constant({2, 1}, {1, 2}), expand.Integers({2, 3})});
  EXPECT_THAT(Evaluated(expand)->ToFloat(), ElementsAre(1, 1, 1, 2, 2, 2));
  GraphBuilder fill;
  fill.Add(ConstantOfShape{Tensor::Of<int64_t>(DataType::kInt64, {1}, {9})}, {fill.Integers({3})});
  EXPECT_THAT(Evaluated(fill)->ToInt64(), ElementsAre(9, 9, 9));
}

TEST(EvaluateTest, PadSurroundsAndCrops) {
  GraphBuilder b;
  b.Add(Pad{}, {b.Constant({2, 2}, {1, 2, 3, 4}), b.Integers({1, 0, 0, -1}), b.Scalar(7)});
  EXPECT_THAT(Evaluated(b)->ToFloat(), ElementsAre(7, 1, 3));
}

TEST(EvaluateTest, ReductionsMatchHandWorkedValues) {
  const auto result = [](Reduce::Operation operation) {
    GraphBuilder b;
    Reduce reduce;
    reduce.operation = operation;
    reduce.axes = {0};
    b.Add(reduce, {b.Constant({2, 2}, {3, -1, 4, 2})});
    return Evaluated(b)->ToFloat();
  };
  using Operation = Reduce::Operation;
  EXPECT_THAT(result(Operation::kSum), ElementsAre(7, 1));
  EXPECT_THAT(result(Operation::kMean), ElementsAre(3.5f, 0.5f));
  EXPECT_THAT(result(Operation::kMax), ElementsAre(4, 2));
  EXPECT_THAT(result(Operation::kMin), ElementsAre(3, -1));
  EXPECT_THAT(result(Operation::kProd), ElementsAre(12, -2));
  EXPECT_THAT(result(Operation::kSumSquare), ElementsAre(25, 5));
  EXPECT_THAT(result(Operation::kL1), ElementsAre(7, 3));
  EXPECT_THAT(result(Operation::kL2), ElementsAre(5, FloatNear(2.2360680f, 1e-6f)));
  EXPECT_THAT(result(Operation::kLogSumExp),
              ElementsAre(FloatNear(4.3132617f, 1e-5f), FloatNear(2.0485873f, 1e-5f)));
}

TEST(EvaluateTest, IntegerReductionsCoverShapes) {
  GraphBuilder b;
  Reduce reduce;
  reduce.operation = Reduce::Operation::kProd;
  reduce.keep_dims = false;
  b.Add(reduce, {b.Integers({2, 3, 4})});
  EXPECT_THAT(Evaluated(b)->ToInt64(), ElementsAre(24));
}

TEST(EvaluateTest, CastsTruncateAndSaturate) {
  const auto result = [](DataType to) {
    GraphBuilder b;
    b.Add(Cast{to}, {b.Constant({4}, {-1.9f, 0, 300.7f, std::nanf("")})});
    return Evaluated(b)->ToInt64();
  };
  EXPECT_THAT(result(DataType::kInt64), ElementsAre(-1, 0, 300, 0));
  EXPECT_THAT(result(DataType::kUint8), ElementsAre(0, 0, 255, 0));
  EXPECT_THAT(result(DataType::kBool), ElementsAre(1, 0, 1, 1));
}

TEST(EvaluateTest, QuantizesWithHalfToEvenPerAxis) {
  GraphBuilder b;
  const ValueId zeros = b.Bytes(DataType::kInt8, {2}, {0, 10});
  b.Add(Quantize{1},
        {b.Constant({2, 2}, {0.5f, 1, 1.5f, -100}), b.Constant({2}, {1, 0.5f}), zeros});
  EXPECT_THAT(Evaluated(b)->ToInt64(), ElementsAre(0, 12, 2, -128));
}

TEST(EvaluateTest, DequantizesPerAxis) {
  GraphBuilder b;
  b.QuantizedWeights({2, 2}, {1, -2, 3, -127}, {0.5f, 0.25f}, 0);
  EXPECT_THAT(Evaluated(b)->ToFloat(), ElementsAre(0.5f, -1.0f, 0.75f, -31.75f));
}

TEST(EvaluateTest, ElementwiseFunctionsAreTheReference) {
  GraphBuilder b;
  b.Eltwise(b.Constant({2}, {4, 9}), Eltwise::Function::kSqrt);
  EXPECT_THAT(Evaluated(b)->ToFloat(), ElementsAre(2, 3));
}

TEST(EvaluateTest, WhatIsNotConstantOrCoveredOrTooLargeIsLeft) {
  GraphBuilder fed;
  fed.Relu(fed.Input("x", {1}));
  EXPECT_EQ(Evaluated(fed), nullptr);
  GraphBuilder norm;  // a pass writes it as arithmetic
  norm.BatchNorm(norm.Filled({1, 1, 3, 3}, 1), {1}, {1}, {1}, {1});
  EXPECT_EQ(Evaluated(norm), nullptr);
  GraphBuilder large;
  large.Add(ConstantOfShape{}, {large.Integers({1 << 20})});
  EXPECT_EQ(Evaluated(large, 1 << 20), nullptr);
}

TEST(EvaluateTest, IntegersThatStandForRealNumbersAreLeft) {
  GraphBuilder b;
  const ValueId q = b.Bytes(DataType::kInt8, {2}, {1, 2});
  b.value(q).quantization = Quantization{{0.5f}, {0}, -1};
  b.Relu(q);
  EXPECT_EQ(Evaluated(b), nullptr);
}

}  // namespace
}  // namespace fourfold::graph
