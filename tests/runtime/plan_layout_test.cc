// What a plan does not do: copies that a change of view spares. And where values come out.

#include <gmock/gmock.h>

#include "server/passes/passes.h"
#include "tests/runtime/run_graph.h"

namespace fourfold::runtime {
namespace {

using fourfold::testing::Bytes;
using fourfold::testing::Compile;
using fourfold::testing::CountSteps;
using fourfold::testing::FromBytes;
using fourfold::testing::GraphBuilder;
using fourfold::testing::RunFloat;
using fourfold::testing::RunPlan;
using fourfold::testing::ToBytes;
using fourfold::testing::Uniform;
using graph::Graph;
using graph::ValueId;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::FloatNear;
using ::testing::Pointwise;

using Floats = std::vector<float>;

TEST(PlanLayoutTest, NhwcModelsRunWithoutRearranging) {
  GraphBuilder b;
  const ValueId x = b.Input("x", {1, 6, 6, 3});
  const ValueId nchw = b.Transpose(x, {0, 3, 1, 2});
  const ValueId conv = b.Conv(nchw, b.Varied({4, 3, 3, 3}));
  b.Output(b.Transpose(conv, {0, 2, 3, 1}));
  const Graph graph = b.Build();
  const auto plan = Compile(graph);
  EXPECT_EQ(CountSteps(*plan, "Conv"), 1u);
  EXPECT_EQ(plan->steps().size(), 1u)
      << "the transposes are views of what the convolution reads and writes";
  EXPECT_EQ(RunFloat(graph, {Uniform(108, 1)}, 1, "reference").size(), 64u);
  EXPECT_THAT(RunFloat(graph, {Uniform(108, 1)}),
              Pointwise(FloatNear(1e-5f), RunFloat(graph, {Uniform(108, 1)}, 1, "reference")));
}

TEST(PlanLayoutTest, AChainOfConvolutionsRearrangesOnceOnTheWayIn) {
  GraphBuilder b;
  ValueId x = b.Input("x", {1, 4, 6, 6});
  for (int i = 0; i < 3; ++i) x = b.Conv(x, b.Varied({4, 4, 1, 1}));
  b.Output(b.MaxPool(x, {6, 6}));  // one position: both orders are the same
  const auto plan = Compile(b.Build());
  EXPECT_EQ(CountSteps(*plan, "Reorder"), 1u);
  EXPECT_EQ(plan->steps().size(), 5u);
}

TEST(PlanLayoutTest, ReshapingAChannelsLastValueKeepsTheLogicalOrder) {
  GraphBuilder b;
  const ValueId x = b.Input("x", {1, 2, 2, 2});
  const ValueId conv = b.Conv(x, b.Constant({2, 2, 1, 1}, {1, 0, 0, 1}));  // channels-last now
  b.Output(b.Flatten(conv));
  EXPECT_THAT(RunFloat(b.Build(), {{0, 1, 2, 3, 4, 5, 6, 7}}), ElementsAre(0, 1, 2, 3, 4, 5, 6, 7));
}

TEST(PlanLayoutTest, SlicesAndConcatsOfChannelsLastValues) {
  GraphBuilder b;
  const ValueId x = b.Input("x", {1, 2, 2, 2});
  const ValueId conv = b.Conv(x, b.Constant({2, 2, 1, 1}, {1, 0, 0, 1}));
  const ValueId first =
      b.Add(graph::Slice{}, {conv, b.Integers({0}), b.Integers({1}), b.Integers({1})});
  const ValueId mirrored = b.Add(graph::Slice{}, {conv, b.Integers({-1}), b.Integers({-9}),
                                                  b.Integers({3}), b.Integers({-1})});
  b.Output(b.Concat({first, mirrored}, 1));
  EXPECT_THAT(RunFloat(b.Build(), {{0, 1, 2, 3, 4, 5, 6, 7}}),
              ElementsAre(0, 1, 2, 3, 1, 0, 3, 2, 5, 4, 7, 6));
}

TEST(PlanLayoutTest, TransposesOfChannelsLastValues) {
  GraphBuilder b;
  const ValueId x = b.Input("x", {1, 2, 1, 3});
  const ValueId conv = b.Conv(x, b.Constant({2, 2, 1, 1}, {1, 0, 0, 1}));
  b.Output(b.Transpose(conv, {3, 0, 1, 2}));
  EXPECT_THAT(RunFloat(b.Build(), {{0, 1, 2, 3, 4, 5}}), ElementsAre(0, 3, 1, 4, 2, 5));
}

TEST(PlanLayoutTest, AddingAVectorToAChannelsLastImageGoesAlongTheLastDimension) {
  GraphBuilder b;
  const ValueId x = b.Input("x", {1, 2, 2, 2});
  const ValueId conv = b.Conv(x, b.Constant({2, 2, 1, 1}, {1, 0, 0, 1}));
  b.Output(b.Sum(conv, b.Constant({2, 2}, {10, 20, 30, 40})));
  EXPECT_THAT(RunFloat(b.Build(), {{0, 1, 2, 3, 4, 5, 6, 7}}),
              ElementsAre(10, 21, 32, 43, 14, 25, 36, 47));
}

TEST(PlanLayoutTest, AConvolutionOfOnePixelIsAMatrixProduct) {
  GraphBuilder b;
  const ValueId x = b.Input("x", {3, 8, 1, 1});
  const ValueId w = b.Varied({5, 8, 1, 1});
  b.Output(b.Conv(x, w));
  GraphBuilder m;
  graph::MatMul matmul;
  matmul.transpose_rhs = true;
  m.Output(m.MatMul(m.Input("x", {3, 8}), m.Varied({5, 8}), GraphBuilder::kNone, matmul));
  const Graph conv = b.Build();
  EXPECT_EQ(Compile(conv)->steps().size(), 1u);
  EXPECT_THAT(RunFloat(conv, {Uniform(24, 2)}),
              Pointwise(FloatNear(1e-5f), RunFloat(m.Build(), {Uniform(24, 2)})));
}

TEST(PlanLayoutTest, InputsAndConstantsCanComeOut) {
  GraphBuilder b;
  const ValueId x = b.Input("x", {1, 2});
  const ValueId c = b.Constant({2}, {7, 8});
  b.Output(x).Output(c);
  const auto plan = Compile(b.BuildUnchecked());
  const std::vector<Bytes> out = RunPlan(*plan, {ToBytes(Floats{1, 2})});
  EXPECT_THAT(FromBytes<float>(out[0]), ElementsAre(1, 2));
  EXPECT_THAT(FromBytes<float>(out[1]), ElementsAre(7, 8));
}

TEST(PlanLayoutTest, OneValueCanComeOutTwiceAndBeReadOn) {
  GraphBuilder b;
  const ValueId x = b.Input("x", {1, 2});
  const ValueId y = b.Eltwise(x, graph::Eltwise::Function::kNeg);
  const ValueId flat = b.Reshape(y, {2});
  const ValueId z = b.Eltwise(y, graph::Eltwise::Function::kAbs);
  b.Output(y).Output(y).Output(flat).Output(z);
  const auto plan = Compile(b.BuildUnchecked());
  const std::vector<Bytes> out = RunPlan(*plan, {ToBytes(Floats{1, 2})});
  for (size_t i : {0u, 1u, 2u}) EXPECT_THAT(FromBytes<float>(out[i]), ElementsAre(-1, -2)) << i;
  EXPECT_THAT(FromBytes<float>(out[3]), ElementsAre(1, 2));
}

TEST(PlanLayoutTest, ObservedValuesSurviveTheRun) {
  GraphBuilder b;
  const ValueId x = b.Input("x", {1, 4});
  std::vector<ValueId> chain = {x};
  for (int i = 0; i < 6; ++i) chain.push_back(b.Sum(chain.back(), b.Scalar(1)));
  b.Output(chain.back());
  const Graph graph = b.Build();
  PlanOptions options;
  options.observed.assign(chain.begin() + 1, chain.end());
  const auto plan = CompilePlan(graph, {{1, 4}}, options);
  ASSERT_TRUE(plan.ok()) << plan.status();
  const Floats zeros(4);
  Floats answer(4);
  const void* in = zeros.data();
  void* out = answer.data();
  Arena arena;
  kernels::Sequential sequential;
  ASSERT_TRUE(runtime::Run(**plan, arena, {&in, 1}, {&out, 1}, sequential).ok());
  for (size_t i = 1; i < chain.size(); ++i) {
    const Observed seen = ObservedValue(**plan, arena, {&in, 1}, {&out, 1}, chain[i]);
    ASSERT_NE(seen.data, nullptr) << i;
    EXPECT_THAT(std::span(static_cast<const float*>(seen.data), 4), Each(static_cast<float>(i)));
  }
  EXPECT_EQ(ObservedValue(**plan, arena, {&in, 1}, {&out, 1}, x).data, nullptr)
      << "was not asked for";
}

TEST(PlanLayoutTest, MemoryOfALongChainIsUsedAgain) {
  GraphBuilder b;
  ValueId x = b.Input("x", {1, 10000});
  for (int i = 0; i < 20; ++i) x = b.Eltwise(x, graph::Eltwise::Function::kAbs);
  b.Output(x);
  EXPECT_LE(Compile(b.Build())->arena_bytes(), 2u * 10048 * sizeof(float));
}

}  // namespace
}  // namespace fourfold::runtime
