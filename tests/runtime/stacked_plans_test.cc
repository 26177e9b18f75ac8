#include "server/runtime/stacked_plans.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/passes/passes.h"
#include "server/runtime/executor.h"
#include "tests/testing/graph_builder.h"

namespace fourfold::runtime {
namespace {

using fourfold::testing::GraphBuilder;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr int64_t kN = graph::kUnknownDim;
const std::vector<graph::Shape> kOneRow = {{1, 2}};

class StackedPlansTest : public ::testing::Test {
 protected:
  absl::Status Prepare(const Model& model, int64_t count) {
    StackedPlans plans(model);
    return plans.Prepare(kOneRow, count, sequential_);
  }

  kernels::Sequential sequential_;
};

Model DoubledModel() {
  GraphBuilder b;
  const auto x = b.Input("x", {kN, 2});
  b.Output(b.Sum(x, x), "y");
  return Model(b.Build());
}

TEST_F(StackedPlansTest, AnswersSeveralRequestsInOneRun) {
  const Model model = DoubledModel();
  StackedPlans plans(model);
  EXPECT_EQ(plans.Find(kOneRow, 4), nullptr);
  ASSERT_TRUE(plans.Claim(kOneRow, 4));
  ASSERT_TRUE(plans.Prepare(kOneRow, 4, sequential_).ok());
  const std::shared_ptr<const Plan> plan = plans.Find(kOneRow, 4);
  ASSERT_NE(plan, nullptr);
  EXPECT_THAT(plan->outputs()[0].shape, ElementsAre(4, 2));
  const std::vector<float> x = {1, 2, 3, 4, 5, 6, 7, 8};
  std::vector<float> y(8);
  const void* inputs[] = {x.data()};
  void* outputs[] = {y.data()};
  Arena arena;
  EXPECT_TRUE(runtime::Run(*plan, arena, inputs, outputs, sequential_).ok());
  EXPECT_THAT(y, ElementsAre(2, 4, 6, 8, 10, 12, 14, 16));
}

TEST_F(StackedPlansTest, IsClaimedOnce) {
  const Model model = DoubledModel();
  StackedPlans plans(model);
  EXPECT_TRUE(plans.Claim(kOneRow, 4));
  EXPECT_FALSE(plans.Claim(kOneRow, 4));
  EXPECT_TRUE(plans.Claim(kOneRow, 2));
  EXPECT_TRUE(plans.Claim({{3, 2}}, 4));
}

TEST_F(StackedPlansTest, KeepsTheMostRecentlyUsed) {
  const Model model = DoubledModel();
  StackedPlans plans(model, /*plans_max=*/2);
  for (int64_t count : {2, 4}) {
    ASSERT_TRUE(plans.Claim(kOneRow, count));
    ASSERT_TRUE(plans.Prepare(kOneRow, count, sequential_).ok());
  }
  EXPECT_NE(plans.Find(kOneRow, 2), nullptr);
  EXPECT_TRUE(plans.Claim(kOneRow, 8));
  EXPECT_NE(plans.Find(kOneRow, 2), nullptr);
  EXPECT_EQ(plans.Find(kOneRow, 4), nullptr);
}

TEST_F(StackedPlansTest, RefusesMoreMemoryThanAllowed) {
  GraphBuilder b;
  const auto x = b.Input("x", {kN, 1000});
  b.Output(b.Softmax(b.Relu(b.Softmax(x))), "y");
  const graph::Graph graph = b.Build();
  const size_t of_two = Model(graph).Compile({{2, 1000}}).value()->arena_bytes();
  ASSERT_GT(of_two, 0u);
  const auto prepare = [&](size_t bytes_max) {
    const Model model(graph, {.batch_arena_bytes_max = bytes_max});
    return StackedPlans(model).Prepare({{1, 1000}}, 2, sequential_);
  };
  EXPECT_TRUE(prepare(of_two).ok());
  EXPECT_EQ(prepare(of_two - 1).code(), absl::StatusCode::kResourceExhausted);
}

TEST_F(StackedPlansTest, RefusesAModelThatMixesItsSamples) {
  GraphBuilder b;
  b.Output(b.Softmax(b.Input("x", {kN, 2}), 0), "y");
  const Model model(b.Build());
  ASSERT_TRUE(model.batchable());
  StackedPlans plans(model);
  ASSERT_TRUE(plans.Claim(kOneRow, 2));
  const absl::Status refused = plans.Prepare(kOneRow, 2, sequential_);
  EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(refused.message()), HasSubstr("output y of request 0 of 2"));
  EXPECT_EQ(plans.Find(kOneRow, 2), nullptr);
  EXPECT_FALSE(plans.Claim(kOneRow, 2)) << "what was refused is not tried again";
}

// As the file is written one scale covers the batch; absorbed, there is one for each sample.
TEST_F(StackedPlansTest, AcceptsDynamicQuantization) {
  GraphBuilder b;
  const auto x = b.Input("x", {kN, 2});
  const auto weights = b.QuantizedWeights({2, 3}, {100, -7, 30, 5, 120, -127}, {0.02f}, 0);
  b.Output(b.MatMul(b.DynamicQuantizeDequantize(x), weights), "y");
  graph::Graph graph = b.Build();
  ASSERT_TRUE(passes::Optimize(graph).ok());
  EXPECT_TRUE(Prepare(Model(std::move(graph)), 8).ok());
}

TEST_F(StackedPlansTest, NeverClaimsForAModelWithAFixedBatch) {
  GraphBuilder b;
  b.Output(b.Relu(b.Input("x", {1, 2})), "y");
  const Model model(b.Build());
  StackedPlans plans(model);
  EXPECT_FALSE(plans.Claim(kOneRow, 2));
}

}  // namespace
}  // namespace fourfold::runtime
