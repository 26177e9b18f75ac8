#include "server/runtime/model.h"

#include <gmock/gmock.h>

#include <thread>

#include "server/passes/passes.h"
#include "tests/runtime/run_graph.h"

namespace fourfold::runtime {
namespace {

using fourfold::testing::GraphBuilder;
using fourfold::testing::Uniform;
using graph::Graph;
using graph::ValueId;
using ::testing::HasSubstr;

constexpr int64_t kN = graph::kUnknownDim;

Graph SmallNet(int64_t batch = kN) {
  GraphBuilder b;
  const ValueId x = b.Input("x", {batch, 8, 6, 6});
  const ValueId y = b.Relu(b.Conv(x, b.Varied({32, 8, 3, 3})));
  b.Output(b.MatMul(b.Flatten(b.GlobalAveragePool(y)), b.Varied({32, 10})), "y");
  Graph graph = b.Build();
  EXPECT_TRUE(passes::Optimize(graph).ok());
  return graph;
}

std::vector<graph::Shape> Batch(int64_t n) { return {{n, 8, 6, 6}}; }

TEST(ModelTest, DescribesInputsAndOutputs) {
  const Model model(SmallNet());
  ASSERT_EQ(model.inputs().size(), 1u);
  EXPECT_EQ(model.inputs()[0].name, "x");
  EXPECT_EQ(model.inputs()[0].shape, (graph::Shape{kN, 8, 6, 6}));
  EXPECT_EQ(model.outputs()[0].name, "y");
  EXPECT_EQ(model.outputs()[0].shape, (graph::Shape{kN, 10}));
  EXPECT_TRUE(model.batchable());
}

TEST(ModelTest, FillsTheBatchIn) {
  const Model model(SmallNet());
  const auto shapes = model.ShapesForBatch(4);
  ASSERT_TRUE(shapes.ok()) << shapes.status();
  EXPECT_EQ(*shapes, Batch(4));
}

TEST(ModelTest, AFixedModelRefusesABatch) {
  const Model model(SmallNet(1));
  EXPECT_FALSE(model.batchable());
  EXPECT_TRUE(model.ShapesForBatch(1).ok());
  EXPECT_EQ(model.ShapesForBatch(2).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(ModelTest, OtherUnknownDimensionsAreTheCallersAffair) {
  GraphBuilder b;
  b.Output(b.Eltwise(b.Input("pixels", {kN, kN}), graph::Eltwise::Function::kAbs));
  const Model model(b.Build());
  const absl::Status status = model.ShapesForBatch(1).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(status.message(), HasSubstr("pixels"));
  EXPECT_TRUE(model.PlanFor({{2, 3}}).ok());
}

TEST(ModelTest, GivesTheSamePlanForTheSameShapes) {
  const Model model(SmallNet());
  const auto first = model.PlanFor(Batch(1));
  const auto other = model.PlanFor(Batch(2));
  ASSERT_TRUE(first.ok() && other.ok());
  EXPECT_NE(*first, *other);
  EXPECT_EQ(*model.PlanFor(Batch(1)), *first);
}

TEST(ModelTest, ForgetsThePlanThatWasUsedLongestAgo) {
  ModelOptions options;
  options.plans_max = 2;
  const Model model(SmallNet(), options);
  const std::weak_ptr<const Plan> one = *model.PlanFor(Batch(1));
  const std::weak_ptr<const Plan> two = *model.PlanFor(Batch(2));
  ASSERT_TRUE(model.PlanFor(Batch(1)).ok());
  ASSERT_TRUE(model.PlanFor(Batch(3)).ok());
  EXPECT_FALSE(one.expired());
  EXPECT_TRUE(two.expired());
}

TEST(ModelTest, APlanInUseOutlivesItsPlaceInTheCache) {
  ModelOptions options;
  options.plans_max = 1;
  const Model model(SmallNet(), options);
  const auto plan = *model.PlanFor(Batch(1));
  const auto input = fourfold::testing::ToBytes(Uniform(8 * 36, 1));
  const auto before = fourfold::testing::RunPlan(*plan, {input});
  ASSERT_TRUE(model.PlanFor(Batch(2)).ok());
  EXPECT_EQ(fourfold::testing::RunPlan(*plan, {input}), before);
}

TEST(ModelTest, PlansShareWeights) {
  const Model model(SmallNet());
  ASSERT_TRUE(model.PlanFor(Batch(1)).ok());
  const size_t one = model.weight_bytes();
  ASSERT_TRUE(model.PlanFor(Batch(2)).ok());
  ASSERT_TRUE(model.PlanFor(Batch(4)).ok());
  EXPECT_LT(model.weight_bytes(), 2 * one);
}

TEST(ModelTest, AFailedPlanIsNotKept) {
  const Model model(SmallNet());
  EXPECT_FALSE(model.PlanFor({{1, 7, 6, 6}}).ok());
  EXPECT_FALSE(model.PlanFor({{1, 7, 6, 6}}).ok());
  EXPECT_TRUE(model.PlanFor(Batch(1)).ok());
}

TEST(ModelTest, ThreadsRunOnePlanAtOnceAndCompileOnce) {
  const Model model(SmallNet());
  const auto input = fourfold::testing::ToBytes(Uniform(8 * 36, 1));
  const auto wanted = fourfold::testing::RunPlan(**model.PlanFor(Batch(1)), {input});
  const Model fresh(SmallNet());
  std::vector<std::shared_ptr<const Plan>> plans(4);
  std::vector<int> wrong(4, 0);
  std::vector<std::thread> threads;
  for (size_t t = 0; t < plans.size(); ++t) {
    threads.emplace_back([&, t] {
      plans[t] = *fresh.PlanFor(Batch(1));
      for (int i = 0; i < 50; ++i)
        wrong[t] += fourfold::testing::RunPlan(*plans[t], {input}) != wanted;
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (size_t t = 0; t < plans.size(); ++t) {
    EXPECT_EQ(plans[t], plans[0]);
    EXPECT_EQ(wrong[t], 0);
  }
}

}  // namespace
}  // namespace fourfold::runtime
