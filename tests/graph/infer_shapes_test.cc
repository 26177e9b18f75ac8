#include "server/graph/infer_shapes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <limits>

#include "tests/testing/graph_builder.h"

namespace fourfold::graph {
namespace {

using ::fourfold::testing::GraphBuilder;
using ::testing::AllOf;
using ::testing::HasSubstr;

// The inferred shape of the one value that `build` returns.
Shape Inferred(const std::function<ValueId(GraphBuilder&)>& build) {
  GraphBuilder builder;
  const ValueId id = build(builder);
  builder.Output(id);
  const Graph graph = builder.Build();
  return graph.value(id).shape.value_or(Shape{-99});
}

std::string Error(const std::function<ValueId(GraphBuilder&)>& build) {
  GraphBuilder builder;
  builder.Output(build(builder));
  Graph graph = builder.BuildUnchecked();
  const absl::Status status = InferShapes(graph);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  return std::string(status.message());
}

Conv Convolution(std::vector<int64_t> strides, std::vector<int64_t> pads, int64_t groups = 1) {
  Conv conv;
  conv.window.strides = std::move(strides);
  conv.window.pads = std::move(pads);
  conv.groups = groups;
  return conv;
}

TEST(InferShapesTest, ConvolutionFollowsStridesPadsAndDilations) {
  EXPECT_EQ(Inferred([](GraphBuilder& b) {
              return b.Conv(b.Input("x", {1, 3, 224, 224}), b.Filled({8, 3, 3, 3}, 0), b.kNone,
                            Convolution({2, 2}, {0, 0, 1, 1}));
            }),
            (Shape{1, 8, 112, 112}));
  EXPECT_EQ(Inferred([](GraphBuilder& b) {
              Conv conv;
              conv.window.dilations = {2, 3};
              return b.Conv(b.Input("x", {1, 1, 10, 10}), b.Filled({1, 1, 3, 3}, 0), b.kNone, conv);
            }),
            (Shape{1, 1, 6, 4}));
}

TEST(InferShapesTest, ConvolutionKeepsUnknownBatchAndSpace) {
  EXPECT_EQ(Inferred([](GraphBuilder& b) {
              return b.Conv(b.Input("x", {kUnknownDim, 4, kUnknownDim, 8}),
                            b.Filled({4, 1, 3, 3}, 0), b.kNone, Convolution({}, {}, 4));
            }),
            (Shape{kUnknownDim, 4, kUnknownDim, 6}));
}

TEST(InferShapesTest, SamePaddingGivesTheQuotientRoundedUp) {
  EXPECT_EQ(Inferred([](GraphBuilder& b) {
              Conv conv;
              conv.window.auto_pad = AutoPad::kSameUpper;
              conv.window.strides = {2, 2};
              return b.Conv(b.Input("x", {1, 1, 5, 8}), b.Filled({1, 1, 3, 3}, 0), b.kNone, conv);
            }),
            (Shape{1, 1, 3, 4}));
}

TEST(InferShapesTest, SamePaddingPutsTheOddElementWhereItsNameSays) {
  Window window;
  window.strides = {2};
  window.auto_pad = AutoPad::kSameUpper;
  EXPECT_EQ(ResolveWindow(window, {8}, {3})->pads, (std::vector<int64_t>{0, 1}));
  window.auto_pad = AutoPad::kSameLower;
  EXPECT_EQ(ResolveWindow(window, {8}, {3})->pads, (std::vector<int64_t>{1, 0}));
}

TEST(InferShapesTest, ResolveWindowFillsDefaults) {
  const absl::StatusOr<Window> window = ResolveWindow({}, {8, 9}, {3, 5});
  ASSERT_TRUE(window.ok());
  EXPECT_EQ(window->kernel, (std::vector<int64_t>{3, 5}));
  EXPECT_EQ(window->strides, (std::vector<int64_t>{1, 1}));
  EXPECT_EQ(window->dilations, (std::vector<int64_t>{1, 1}));
  EXPECT_EQ(window->pads, (std::vector<int64_t>{0, 0, 0, 0}));
}

TEST(InferShapesTest, PoolingRoundsUpOnlyWithCeilMode) {
  for (const bool ceil_mode : {false, true}) {
    EXPECT_EQ(Inferred([&](GraphBuilder& b) {
                Pool pool;
                pool.window.kernel = {3, 3};
                pool.window.strides = {2, 2};
                pool.ceil_mode = ceil_mode;
                return b.Add(pool, {b.Input("x", {1, 2, 110, 6})});
              }),
              ceil_mode ? (Shape{1, 2, 55, 3}) : (Shape{1, 2, 54, 2}));
  }
}

TEST(InferShapesTest, CeilModeStartsNoWindowBehindTheImage) {
  EXPECT_EQ(Inferred([](GraphBuilder& b) {
              Pool pool;
              pool.window.kernel = {1};
              pool.window.strides = {3};
              pool.ceil_mode = true;
              return b.Add(pool, {b.Input("x", {1, 1, 3})});
            }),
            (Shape{1, 1, 1}));
}

TEST(InferShapesTest, GlobalPoolLeavesOneElementPerChannel) {
  EXPECT_EQ(Inferred([](GraphBuilder& b) {
              return b.GlobalAveragePool(b.Input("x", {kUnknownDim, 5, 7, 7}));
            }),
            (Shape{kUnknownDim, 5, 1, 1}));
}

TEST(InferShapesTest, MatMulFollowsNumpy) {
  const auto shape = [](Shape lhs, Shape rhs, MatMul matmul = {}) {
    return Inferred([&](GraphBuilder& b) {
      return b.MatMul(b.Input("a", lhs), b.Input("b", rhs), b.kNone, matmul);
    });
  };
  EXPECT_EQ(shape({2, 3}, {3, 4}), (Shape{2, 4}));
  EXPECT_EQ(shape({3}, {3, 4}), (Shape{4}));
  EXPECT_EQ(shape({2, 3}, {3}), (Shape{2}));
  EXPECT_EQ(shape({3}, {3}), (Shape{}));
  EXPECT_EQ(shape({5, 1, 2, 3}, {7, 3, 4}), (Shape{5, 7, 2, 4}));
  EXPECT_EQ(shape({3, 2}, {4, 3}, {true, true, {}}), (Shape{2, 4}));
  EXPECT_EQ(shape({kUnknownDim, 3}, {3, 4}), (Shape{kUnknownDim, 4}));
}

TEST(InferShapesTest, BinaryBroadcastsUnknownDimensions) {
  EXPECT_EQ(Inferred([](GraphBuilder& b) {
              return b.Sum(b.Input("a", {kUnknownDim, 1, 5, kUnknownDim}),
                           b.Input("b", {4, 1, kUnknownDim}));
            }),
            (Shape{kUnknownDim, 4, 5, kUnknownDim}));
}

TEST(InferShapesTest, ReshapeInfersItsFreeDimension) {
  const auto shape = [](Shape x, std::vector<int64_t> wanted) {
    return Inferred([&](GraphBuilder& b) { return b.Reshape(b.Input("x", x), wanted); });
  };
  EXPECT_EQ(shape({2, 3, 4}, {-1, 6}), (Shape{4, 6}));
  EXPECT_EQ(shape({kUnknownDim, 3, 4}, {0, -1}), (Shape{kUnknownDim, 12}));
  EXPECT_EQ(shape({kUnknownDim, 3, 4}, {-1, 12}), (Shape{kUnknownDim, 12}));
  EXPECT_EQ(shape({2, 0, 4}, {0, 0, 4}), (Shape{2, 0, 4}));
}

TEST(InferShapesTest, DataMovementChangesShapesAsDocumented) {
  EXPECT_EQ(Inferred([](GraphBuilder& b) {
              return b.Transpose(b.Input("x", {2, 3, 4}), {2, 0, 1});
            }),
            (Shape{4, 2, 3}));
  EXPECT_EQ(Inferred([](GraphBuilder& b) {
              return b.Transpose(b.Input("x", {2, 3, 4}), {});
            }),
            (Shape{4, 3, 2}));
  EXPECT_EQ(Inferred([](GraphBuilder& b) {
              return b.Flatten(b.Input("x", {kUnknownDim, 3, 4}), 1);
            }),
            (Shape{kUnknownDim, 12}));
  EXPECT_EQ(Inferred([](GraphBuilder& b) {
              return b.Flatten(b.Input("x", {2, 3}), 0);
            }),
            (Shape{1, 6}));
  EXPECT_EQ(Inferred([](GraphBuilder& b) {
              return b.Add(Squeeze{}, {b.Input("x", {1, 3, 1})});
            }),
            (Shape{3}));
  EXPECT_EQ(Inferred([](GraphBuilder& b) {
              return b.Add(Unsqueeze{}, {b.Input("x", {3, 4}), b.Integers({0, -1})});
            }),
            (Shape{1, 3, 4, 1}));
  EXPECT_EQ(Inferred([](GraphBuilder& b) {
              return b.Add(Slice{},
                           {b.Input("x", {10, 8}), b.Integers({-1, 2}), b.Integers({-100, 100}),
                            b.Integers({0, 1}), b.Integers({-3, 2})});
            }),
            (Shape{4, 3}));
  EXPECT_EQ(Inferred([](GraphBuilder& b) {
              return b.Add(Gather{1}, {b.Input("x", {5, 6, 7}), b.Integers({0, 1})});
            }),
            (Shape{5, 2, 7}));
  EXPECT_EQ(Inferred([](GraphBuilder& b) {
              return b.Add(Expand{}, {b.Input("x", {3, 1}), b.Integers({2, 1, 4})});
            }),
            (Shape{2, 3, 4}));
  EXPECT_EQ(Inferred([](GraphBuilder& b) {
              return b.Add(Pad{}, {b.Input("x", {3, 4}), b.Integers({1, 0, -1, 2})});
            }),
            (Shape{3, 6}));
  EXPECT_EQ(Inferred([](GraphBuilder& b) {
              return b.Concat({b.Input("x", {kUnknownDim, 2}), b.Input("y", {5, 3})}, -1);
            }),
            (Shape{5, 5}));
  EXPECT_EQ(Inferred([](GraphBuilder& b) {
              Reduce reduce;
              reduce.axes = {-1, 2};
              reduce.keep_dims = false;
              return b.Add(reduce, {b.Input("x", {kUnknownDim, 3, 7, 7})});
            }),
            (Shape{kUnknownDim, 3}));
  EXPECT_EQ(
      Inferred([](GraphBuilder& b) {
        return b.Add(Resize{}, {b.Input("x", {1, 3, 5, 5}), b.Constant({4}, {1, 1, 2, 1.5f})});
      }),
      (Shape{1, 3, 10, 7}));
}

TEST(InferShapesTest, UnknownRankStaysUnknown) {
  GraphBuilder b;
  const ValueId y = b.Relu(b.InputOfUnknownRank("x"));
  b.Output(y);
  EXPECT_FALSE(b.Build().value(y).shape.has_value());
}

TEST(InferShapesTest, QuantizedValueKeepsItsStoredType) {
  GraphBuilder b;
  const ValueId y = b.Relu(b.Input("x", {1, 4}));
  b.value(y).type = DataType::kUint8;
  b.value(y).quantization = Quantization{{0.5f}, {3}, -1};
  const ValueId z = b.Relu(y);
  b.Output(z);
  const Graph graph = b.Build();
  EXPECT_EQ(graph.value(y).type, DataType::kUint8);
  EXPECT_EQ(graph.value(z).type, DataType::kFloat32);
}

TEST(InferShapesTest, DynamicQuantizeGivesParametersPerSample) {
  GraphBuilder b;
  const std::vector<ValueId> outputs =
      b.AddMany(DynamicQuantize{true}, {b.Input("x", {6, 3, 2, 2})}, 2);
  b.Output(outputs[0]).Output(outputs[1]);
  const Graph graph = b.Build();
  EXPECT_EQ(graph.value(outputs[0]).type, DataType::kUint8);
  EXPECT_EQ(*graph.value(outputs[1]).shape, (Shape{6}));
  EXPECT_EQ(ElementSize(graph.value(outputs[1]).type), sizeof(kernels::QuantParams));
}

struct BadGraph {
  std::string name;
  std::function<ValueId(GraphBuilder&)> build;
  std::vector<std::string> says;  // what and where, got, wanted
};

class InferShapesErrorTest : public ::testing::TestWithParam<BadGraph> {};

TEST_P(InferShapesErrorTest, NamesTheNodeAndWhatItGot) {
  const std::string message = Error(GetParam().build);
  for (const std::string& part : GetParam().says) EXPECT_THAT(message, HasSubstr(part));
  EXPECT_THAT(message, AllOf(HasSubstr("bad ("), HasSubstr("wanted")));
}

constexpr int64_t kHuge = std::numeric_limits<int64_t>::max() / 2;

INSTANTIATE_TEST_SUITE_P(
    Bad, InferShapesErrorTest,
    ::testing::Values(
        BadGraph{
            "ConvChannels",
            [](GraphBuilder& b) {
              return b.Named("bad").Conv(b.Input("x", {1, 4, 8, 8}), b.Filled({2, 3, 3, 3}, 0));
            },
            {"Conv", "4 channels", "3 x 1 groups"}},
        BadGraph{"ConvGroups",
                 [](GraphBuilder& b) {
                   return b.Named("bad").Conv(b.Input("x", {1, 4, 8, 8}), b.Filled({3, 2, 3, 3}, 0),
                                              b.kNone, Convolution({}, {}, 2));
                 },
                 {"divide into 2 groups"}},
        BadGraph{"ConvNoGroups",
                 [](GraphBuilder& b) {
                   return b.Named("bad").Conv(b.Input("x", {1, 4, 8, 8}), b.Filled({3, 2, 3, 3}, 0),
                                              b.kNone, Convolution({}, {}, 0));
                 },
                 {"got 0 groups"}},
        BadGraph{"ConvBias",
                 [](GraphBuilder& b) {
                   return b.Named("bad").Conv(b.Input("x", {1, 3, 8, 8}), b.Filled({2, 3, 3, 3}, 0),
                                              b.Filled({3}, 0));
                 },
                 {"bias", "[3]", "[2]"}},
        BadGraph{"ConvRank",
                 [](GraphBuilder& b) {
                   return b.Named("bad").Conv(b.Input("x", {1, 3, 8}), b.Filled({2, 3, 3, 3}, 0));
                 },
                 {"[1, 3, 8]", "[2, 3, 3, 3]"}},
        BadGraph{
            "ConvWindowTooLarge",
            [](GraphBuilder& b) {
              return b.Named("bad").Conv(b.Input("x", {1, 1, 2, 8}), b.Filled({1, 1, 3, 3}, 0));
            },
            {"window of 3", "dimension 2"}},
        BadGraph{"ConvNegativePad",
                 [](GraphBuilder& b) {
                   return b.Named("bad").Conv(b.Input("x", {1, 1, 8, 8}), b.Filled({1, 1, 3, 3}, 0),
                                              b.kNone, Convolution({}, {-1, 0, 0, 0}));
                 },
                 {"pads [?, 0, 0, 0]"}},
        BadGraph{"ConvZeroStride",
                 [](GraphBuilder& b) {
                   return b.Named("bad").Conv(b.Input("x", {1, 1, 8, 8}), b.Filled({1, 1, 3, 3}, 0),
                                              b.kNone, Convolution({0, 1}, {}));
                 },
                 {"strides [0, 1]"}},
        BadGraph{"ConvHugePad",
                 [](GraphBuilder& b) {
                   return b.Named("bad").Conv(b.Input("x", {1, 1, 8, 8}), b.Filled({1, 1, 3, 3}, 0),
                                              b.kNone,
                                              Convolution({}, {kHuge, kHuge, kHuge, kHuge}));
                 },
                 {"pads"}},
        BadGraph{"ConvOfIntegers",
                 [](GraphBuilder& b) {
                   return b.Named("bad").Conv(b.Input("x", {1, 1, 8, 8}, DataType::kInt64),
                                              b.Filled({1, 1, 3, 3}, 0));
                 },
                 {"int64", "floating-point"}},
        BadGraph{"PoolKernel",
                 [](GraphBuilder& b) {
                   return b.Named("bad").MaxPool(b.Input("x", {1, 1, 8, 8}), {2});
                 },
                 {"kernel [2]", "2 numbers"}},
        BadGraph{"MatMulInner",
                 [](GraphBuilder& b) {
                   return b.Named("bad").MatMul(b.Input("x", {2, 3}), b.Filled({4, 5}, 0));
                 },
                 {"3 and 4"}},
        BadGraph{"MatMulScalar",
                 [](GraphBuilder& b) {
                   return b.Named("bad").MatMul(b.Input("x", {}), b.Filled({4, 5}, 0));
                 },
                 {"at least one dimension"}},
        BadGraph{"MatMulBias",
                 [](GraphBuilder& b) {
                   return b.Named("bad").MatMul(b.Input("x", {2, 3}), b.Filled({3, 5}, 0),
                                                b.Filled({4}, 0));
                 },
                 {"bias", "[4]", "[2, 5]"}},
        BadGraph{"BinaryShapes",
                 [](GraphBuilder& b) {
                   return b.Named("bad").Sum(b.Input("x", {2, 3}), b.Input("y", {2, 4}));
                 },
                 {"[2, 3]", "[2, 4]"}},
        BadGraph{"BinaryTypes",
                 [](GraphBuilder& b) {
                   return b.Named("bad").Sum(b.Input("x", {2}),
                                             b.Input("y", {2}, DataType::kInt64));
                 },
                 {"float32", "int64"}},
        BadGraph{"BatchNormChannels",
                 [](GraphBuilder& b) {
                   return b.Named("bad").BatchNorm(b.Input("x", {1, 3, 2, 2}), {1, 1}, {0, 0},
                                                   {0, 0}, {1, 1});
                 },
                 {"[2]", "[3]"}},
        BadGraph{"ReshapeCount",
                 [](GraphBuilder& b) {
                   return b.Named("bad").Reshape(b.Input("x", {2, 3}), {4, 2});
                 },
                 {"[2, 3]", "[4, 2]"}},
        BadGraph{"ReshapeOverflow",
                 [](GraphBuilder& b) {
                   return b.Named("bad").Reshape(b.Input("x", {2, 3}), {kHuge, kHuge, -1});
                 },
                 {"fewer elements"}},
        BadGraph{"ReshapeTwoFree",
                 [](GraphBuilder& b) {
                   return b.Named("bad").Reshape(b.Input("x", {2, 3}), {-1, -1});
                 },
                 {"two dimensions of -1"}},
        BadGraph{"ReshapeNegative",
                 [](GraphBuilder& b) {
                   return b.Named("bad").Reshape(b.Input("x", {2, 3}), {-2, 3});
                 },
                 {"dimension -2"}},
        BadGraph{
            "ExpandHuge",
            [](GraphBuilder& b) {
              return b.Named("bad").Add(Expand{}, {b.Input("x", {1}), b.Integers({kHuge, kHuge})});
            },
            {"Expand", "bytes"}},
        BadGraph{"ConstantOfHugeShape",
                 [](GraphBuilder& b) {
                   return b.Named("bad").Add(ConstantOfShape{}, {b.Integers({1 << 30, 1 << 30})});
                 },
                 {"ConstantOfShape", "bytes"}},
        BadGraph{"TransposePermutation",
                 [](GraphBuilder& b) {
                   return b.Named("bad").Transpose(b.Input("x", {2, 3}), {0, 0});
                 },
                 {"[0, 0]"}},
        BadGraph{"ConcatLengths",
                 [](GraphBuilder& b) {
                   return b.Named("bad").Concat({b.Input("x", {2, 3}), b.Input("y", {3, 3})}, 1);
                 },
                 {"'y' [3, 3]", "wanted 2 in dimension 0"}},
        BadGraph{"GatherAxis",
                 [](GraphBuilder& b) {
                   return b.Named("bad").Add(Gather{3}, {b.Input("x", {2, 3}), b.Integers({0})});
                 },
                 {"axis 3"}},
        BadGraph{"SliceStep",
                 [](GraphBuilder& b) {
                   return b.Named("bad").Add(Slice{},
                                             {b.Input("x", {2}), b.Integers({0}), b.Integers({1}),
                                              b.Integers({0}), b.Integers({0})});
                 },
                 {"step 0"}},
        BadGraph{"PadCount",
                 [](GraphBuilder& b) {
                   return b.Named("bad").Add(Pad{}, {b.Input("x", {2, 2}), b.Integers({1, 1})});
                 },
                 {"2 pads", "wanted 4"}},
        BadGraph{"PadOverflow",
                 [](GraphBuilder& b) {
                   return b.Named("bad").Add(
                       Pad{},
                       {b.Input("x", {2}), b.Integers({std::numeric_limits<int64_t>::max(), 1})});
                 },
                 {"pads"}},
        BadGraph{
            "ResizeScale",
            [](GraphBuilder& b) {
              return b.Named("bad").Add(Resize{}, {b.Input("x", {2, 2}), b.Constant({2}, {1, -1})});
            },
            {"scale -1"}},
        BadGraph{"SoftmaxAxis",
                 [](GraphBuilder& b) {
                   return b.Named("bad").Softmax(b.Input("x", {2, 2}), 2);
                 },
                 {"axis 2"}},
        BadGraph{"MissingInput",
                 [](GraphBuilder& b) {
                   return b.Named("bad").Add(Conv{}, {b.Input("x", {1, 1, 3, 3})});
                 },
                 {"input 1 is missing"}}),
    [](const auto& info) { return info.param.name; });

TEST(InferShapesTest, HostileInputShapeIsRefused) {
  GraphBuilder b;
  b.Output(b.Relu(b.Input("x", {kHuge, kHuge})));
  Graph graph = b.BuildUnchecked();
  const absl::Status status = InferShapes(graph);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("input 'x'"));
}

TEST(RemoveDeadNodesTest, KeepsOnlyWhatReachesAnOutput) {
  GraphBuilder b;
  const ValueId x = b.Input("x", {1, 2});
  const ValueId y = b.Named("kept").Relu(x);
  b.Sigmoid(b.Sigmoid(y));
  b.Output(y);
  Graph graph = b.Build();
  RemoveDeadNodes(graph);
  ASSERT_EQ(graph.nodes.size(), 1u);
  EXPECT_EQ(graph.nodes[0].name, "kept");
}

}  // namespace
}  // namespace fourfold::graph
