// Types and shapes of element-wise operations, those along an axis, and of numbers and signals.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <limits>

#include "server/graph/infer_shapes.h"
#include "tests/testing/graph_builder.h"

namespace fourfold::graph {
namespace {

using ::fourfold::testing::GraphBuilder;
using ::testing::HasSubstr;

using Build = std::function<ValueId(GraphBuilder&)>;

// Type and shape of the one value that `build` returns.
std::pair<DataType, Shape> Result(const Build& build) {
  GraphBuilder builder;
  const ValueId id = build(builder);
  builder.Output(id);
  const Graph graph = builder.Build();
  return {graph.value(id).type, graph.value(id).shape.value_or(Shape{-99})};
}

std::string Error(const Build& build) {
  GraphBuilder builder;
  builder.Output(build(builder));
  Graph graph = builder.BuildUnchecked();
  const absl::Status status = InferShapes(graph);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  return std::string(status.message());
}

std::pair<DataType, Shape> Of(DataType type, Shape shape) { return {type, std::move(shape)}; }

constexpr DataType kFloat = DataType::kFloat32;

TEST(InferArithmeticTest, PredicatesAndComparisonsAreBoolean) {
  EXPECT_EQ(Result([](GraphBuilder& b) {
              return b.Eltwise(b.Input("x", {2, 3}), Eltwise::Function::kIsNan);
            }),
            Of(DataType::kBool, {2, 3}));
  EXPECT_EQ(Result([](GraphBuilder& b) {
              return b.Add(Compare{Compare::Operation::kLess},
                           {b.Input("a", {kUnknownDim, 1}, DataType::kInt8),
                            b.Input("b", {3}, DataType::kInt8)});
            }),
            Of(DataType::kBool, {kUnknownDim, 3}));
  EXPECT_EQ(Result([](GraphBuilder& b) {
              return b.Add(Where{}, {b.Input("c", {2, 1}, DataType::kBool),
                                     b.Input("a", {3}, DataType::kUint64),
                                     b.Input("b", {4, 1, 1}, DataType::kUint64)});
            }),
            Of(DataType::kUint64, {4, 2, 3}));
}

TEST(InferArithmeticTest, RefusesTypesThatAnOperationDoesNotTake) {
  EXPECT_THAT(
      Error([](GraphBuilder& b) { return b.Eltwise(b.Input("x", {2}), Eltwise::Function::kNot); }),
      HasSubstr("wanted bool"));
  EXPECT_THAT(Error([](GraphBuilder& b) {
                return b.Eltwise(b.Input("x", {2}), Eltwise::Function::kBitwiseNot);
              }),
              HasSubstr("wanted an integer type"));
  EXPECT_THAT(Error([](GraphBuilder& b) {
                return b.Eltwise(b.Input("x", {2}, DataType::kInt32), Eltwise::Function::kSin);
              }),
              HasSubstr("wanted a floating-point type"));
  EXPECT_THAT(Error([](GraphBuilder& b) {
                return b.Binary(Binary::Operation::kShiftLeft, b.Input("x", {2}, DataType::kInt32),
                                b.Input("y", {2}, DataType::kInt32));
              }),
              HasSubstr("wanted an unsigned integer type"));
  EXPECT_THAT(Error([](GraphBuilder& b) {
                return b.Binary(Binary::Operation::kAdd, b.Input("x", {2}),
                                b.Input("y", {2}, DataType::kInt32));
              }),
              HasSubstr("wanted equal types"));
  EXPECT_THAT(Error([](GraphBuilder& b) {
                return b.Add(Where{}, {b.Input("c", {2}), b.Input("x", {2}), b.Input("y", {2})});
              }),
              HasSubstr("'c' is float32, wanted bool"));
}

TEST(InferArithmeticTest, PowersHaveTheTypeOfTheirBase) {
  EXPECT_EQ(Result([](GraphBuilder& b) {
              return b.Binary(Binary::Operation::kPow, b.Input("x", {2}, DataType::kInt32),
                              b.Input("y", {}, kFloat));
            }),
            Of(DataType::kInt32, {2}));
}

TEST(InferArithmeticTest, ASlopeBroadcastsToItsArgumentOnly) {
  EXPECT_EQ(Result([](GraphBuilder& b) {
              return b.Add(PRelu{}, {b.Input("x", {2, 3, 4}), b.Filled({3, 1}, 0.1f)});
            }),
            Of(kFloat, {2, 3, 4}));
  EXPECT_THAT(Error([](GraphBuilder& b) {
                return b.Add(PRelu{}, {b.Input("x", {3}), b.Filled({2, 3}, 0.1f)});
              }),
              HasSubstr("slope"));
}

TEST(InferArithmeticTest, ArgReduceKeepsOrDropsItsAxis) {
  ArgReduce reduce;
  reduce.axis = -2;
  const auto result = [&] {
    return Result([&](GraphBuilder& b) { return b.Add(reduce, {b.Input("x", {2, 3, 4})}); });
  };
  EXPECT_EQ(result(), Of(DataType::kInt64, {2, 1, 4}));
  reduce.keep_dims = false;
  EXPECT_EQ(result(), Of(DataType::kInt64, {2, 4}));
  EXPECT_THAT(Error([&](GraphBuilder& b) {
                return b.Add(ArgReduce{}, {b.Input("x", {0, 3})});
              }),
              HasSubstr("wanted elements along axis 0"));
  EXPECT_THAT(Error([&](GraphBuilder& b) { return b.Add(reduce, {b.Input("x", {3})}); }),
              HasSubstr("axis -2"));
}

TEST(InferArithmeticTest, CumSumChecksItsAxis) {
  EXPECT_THAT(Error([](GraphBuilder& b) {
                return b.Add(CumSum{}, {b.Input("x", {2}), b.Integers({1})});
              }),
              HasSubstr("axis 1"));
}

TEST(InferArithmeticTest, EinsumFindsItsDimensions) {
  EXPECT_EQ(Result([](GraphBuilder& b) {
              return b.Add(Einsum{"...ij,jk->k...i"},
                           {b.Input("x", {kUnknownDim, 2, 3}), b.Input("y", {3, 5})});
            }),
            Of(kFloat, {5, kUnknownDim, 2}));
  EXPECT_THAT(Error([](GraphBuilder& b) {
                return b.Add(Einsum{"ij,jk->ik"}, {b.Input("x", {2, 3}), b.Input("y", {4, 5})});
              }),
              HasSubstr("wanted 3 in dimension 0"));
}

TEST(InferArithmeticTest, LossesFollowTargetsOrAreOneNumber) {
  NegativeLogLikelihood loss;
  const auto result = [&] {
    return Result([&](GraphBuilder& b) {
      return b.Add(loss, {b.Input("x", {kUnknownDim, 5, 7}),
                          b.Input("t", {2, kUnknownDim}, DataType::kInt32)});
    });
  };
  EXPECT_EQ(result(), Of(kFloat, {}));
  loss.reduction = NegativeLogLikelihood::Reduction::kNone;
  EXPECT_EQ(result().second.size(), 2u);
  EXPECT_THAT(Error([&](GraphBuilder& b) {
                return b.Add(loss, {b.Input("x", {2, 5}), b.Input("t", {3}, DataType::kInt64)});
              }),
              HasSubstr("targets"));
  EXPECT_THAT(Error([&](GraphBuilder& b) {
                return b.Add(loss, {b.Input("x", {2, 5}), b.Input("t", {2}, DataType::kInt64),
                                    b.Filled({4}, 1)});
              }),
              HasSubstr("weights"));
}

TEST(InferArithmeticTest, RangesCountTheirElements) {
  EXPECT_EQ(Result([](GraphBuilder& b) {
              return b.Add(Range{}, {b.Scalar(1), b.Scalar(2.1f), b.Scalar(0.25f)});
            }),
            Of(kFloat, {5}));
  EXPECT_EQ(Result([](GraphBuilder& b) {
              return b.Add(Range{}, {b.Scalar(3), b.Scalar(1), b.Scalar(1)});
            }),
            Of(kFloat, {0}));
  EXPECT_EQ(Result([](GraphBuilder& b) {
              return b.Add(Range{}, {b.Scalar(3), b.Input("limit", {}), b.Scalar(1)});
            }),
            Of(kFloat, {kUnknownDim}));
  EXPECT_THAT(Error([](GraphBuilder& b) {
                return b.Add(Range{}, {b.Scalar(3), b.Scalar(4), b.Scalar(0)});
              }),
              HasSubstr("steps of 0"));
}

TEST(InferArithmeticTest, SignalsHaveBinsAndFrames) {
  Dft dft;
  dft.onesided = true;
  EXPECT_EQ(Result([&](GraphBuilder& b) {
              return b.Add(dft, {b.Input("x", {2, 10, 1})});
            }),
            Of(kFloat, {2, 6, 2}));
  EXPECT_THAT(Error([&](GraphBuilder& b) {
                return b.Add(dft, {b.Input("x", {2, 10, 2})});
              }),
              HasSubstr("wanted 1 as its last dimension"));
  dft.inverse = true;
  EXPECT_EQ(Result([&](GraphBuilder& b) {
              return b.Add(dft, {b.Input("x", {2, 6, 2})});
            }),
            Of(kFloat, {2, 10, 1}));
  EXPECT_THAT(Error([&](GraphBuilder& b) {
                return b.Add(dft, {b.Input("x", {2, 6, 1})});
              }),
              HasSubstr("wanted 2 as its last dimension"));
  dft.inverse = false;
  dft.axis = -1;
  EXPECT_THAT(Error([&](GraphBuilder& b) {
                return b.Add(dft, {b.Input("x", {2, 10, 1})});
              }),
              HasSubstr("but the last"));
  EXPECT_EQ(Result([](GraphBuilder& b) {
              return b.Add(Stft{}, {b.Input("x", {3, 100, 1}), b.Integers({8}), b.Filled({16}, 1)});
            }),
            Of(kFloat, {3, 11, 9, 2}));
  EXPECT_THAT(
      Error([](GraphBuilder& b) {
        return b.Add(Stft{}, {b.Input("x", {3, 10, 1}), b.Integers({8}), b.Filled({16}, 1)});
      }),
      HasSubstr("16 samples or more"));
}

TEST(InferArithmeticTest, ATransformMayHaveSixteenMillionElementsAndNotOneMore) {
  const auto build = [](int64_t length) {
    return [length](GraphBuilder& b) {
      return b.Add(Dft{}, {b.Input("x", {1, 4, 1}), b.Integers({length})});
    };
  };
  EXPECT_EQ(Result(build(1 << 24)), Of(kFloat, {1, 1 << 24, 2}));
  EXPECT_THAT(Error(build((1 << 24) + 1)), HasSubstr("wanted one number from 1 to 16777216"));
}

}  // namespace
}  // namespace fourfold::graph
