// Element-wise operations and Einsum in plans, and Einsum's rewriting against its own kernel.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/passes/passes.h"
#include "tests/runtime/run_graph.h"

namespace fourfold::runtime {
namespace {

using graph::Graph;
using graph::kUnknownDim;
using graph::Shape;
using testing::Count;
using ::testing::ElementsAre;
using ::testing::FloatNear;
using testing::GraphBuilder;
using testing::RunFloat;
using testing::Uniform;

struct Case {
  std::string name, equation;
  Shape lhs, rhs;         // rhs empty: one operand
  bool rewritten = true;  // without an Einsum left
};

class EinsumPlanTest : public ::testing::TestWithParam<Case> {};

TEST_P(EinsumPlanTest, RewrittenItComputesTheSame) {
  const Case& c = GetParam();
  const auto build = [&](bool batch) {
    GraphBuilder b;
    Shape lhs = c.lhs;
    if (batch) lhs[0] = kUnknownDim;
    std::vector<graph::ValueId> operands = {b.Input("lhs", lhs)};
    if (!c.rhs.empty()) operands.push_back(b.Input("rhs", c.rhs));
    b.Output(b.Add(graph::Einsum{c.equation}, operands));
    return b.Build();
  };
  std::vector<std::vector<float>> inputs = {
      Uniform(static_cast<size_t>(graph::ElementCount(c.lhs)), 1)};
  if (!c.rhs.empty()) {
    inputs.push_back(Uniform(static_cast<size_t>(graph::ElementCount(c.rhs)), 2));
  }
  const std::vector<float> want = RunFloat(build(false), inputs);
  for (bool batch : {false, true}) {
    Graph graph = build(batch);
    ASSERT_TRUE(passes::Optimize(graph).ok());
    if (c.rewritten && !batch) EXPECT_EQ(Count<graph::Einsum>(graph), 0u);
    const std::vector<float> got = RunFloat(graph, inputs, c.lhs[0]);
    ASSERT_EQ(got.size(), want.size());
    for (size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], want[i], 1e-5) << i;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Forms, EinsumPlanTest,
    ::testing::Values(Case{"matrices", "ij,jk->ik", {3, 4}, {4, 5}},
                      Case{"result_transposed", "ij,jk->ki", {3, 4}, {4, 5}},
                      Case{"weights_by_row", "bi,oi->bo", {3, 4}, {5, 4}},
                      Case{"heads", "bhqd,bhkd->bhqk", {2, 3, 4, 5}, {2, 3, 6, 5}},
                      Case{"heads_in_the_middle", "bqhd,bkhd->bhqk", {2, 4, 3, 5}, {2, 6, 3, 5}},
                      Case{"several_inner", "abij,ijc->abc", {2, 3, 4, 5}, {4, 5, 6}},
                      Case{"several_outer", "ab,cdb->adc", {2, 5}, {3, 4, 5}},
                      Case{"batch_last", "ijb,jkb->bik", {2, 3, 4}, {3, 5, 4}},
                      Case{"outer", "i,j->ij", {3}, {4}}, Case{"inner", "i,i->", {3}, {3}},
                      Case{"product", "ij,ij->ij", {3, 4}, {3, 4}},
                      Case{"summed_alone", "ijk,jl->il", {2, 3, 4}, {3, 5}},
                      Case{"ellipsis", "...ij,...jk->...ik", {2, 3, 4, 5}, {2, 3, 5, 6}},
                      Case{"repeated_batch", "...ij,...jk->...ik", {2, 4, 5}, {1, 5, 6}, false},
                      Case{"transpose", "ijk->kij", {2, 3, 4}, {}},
                      Case{"sum", "ijk->kj", {2, 3, 4}, {}}, Case{"all", "ij->", {2, 3}, {}},
                      Case{"diagonal", "iij->j", {3, 3, 2}, {}, false}),
    [](const auto& info) { return info.param.name; });

TEST(EinsumPlanTest, AttentionBecomesOneMatrixProduct) {
  GraphBuilder b;
  b.Output(b.Add(graph::Einsum{"bhqd,bhkd->bhqk"}, {b.Input("q", {kUnknownDim, 3, kUnknownDim, 5}),
                                                    b.Input("k", {kUnknownDim, 3, 6, 5})}));
  Graph graph = b.Build();
  ASSERT_TRUE(passes::LowerEinsum(graph).ok());
  EXPECT_EQ(Count<graph::MatMul>(graph), 1u);
  EXPECT_EQ(graph.nodes.size(), 1u);
}

TEST(ArithmeticPlanTest, PReluBetweenConvolutionsNeedsNoReorder) {
  GraphBuilder b;
  const graph::ValueId first = b.Conv(b.Input("x", {1, 8, 6, 6}), b.Varied({8, 8, 3, 3}));
  const graph::ValueId y = b.Add(graph::PRelu{}, {first, b.Varied({8, 1, 1})});
  b.Output(b.Conv(y, b.Varied({8, 8, 1, 1})));
  const Graph graph = b.Build();
  const auto plan = testing::Compile(graph);
  ASSERT_NE(plan, nullptr);
  // In and out only.
  EXPECT_LE(testing::CountSteps(*plan, "Reorder"), 2u);
  const std::vector<float> x = Uniform(8 * 36, 3);
  const std::vector<float> got = RunFloat(graph, {x}), want = RunFloat(graph, {x}, 1, "reference");
  for (size_t i = 0; i < want.size(); ++i) EXPECT_NEAR(got[i], want[i], 1e-4) << i;
}

TEST(ArithmeticPlanTest, DivisionByZeroSaysWhichNode) {
  GraphBuilder b;
  const auto x = b.Input("x", {2}, graph::DataType::kInt32);
  b.Output(b.Named("ratio").Binary(graph::Binary::Operation::kDiv, x, x));
  const auto plan = testing::Compile(b.Build());
  ASSERT_NE(plan, nullptr);
  const std::vector<int32_t> zeros = {1, 0};
  std::vector<int32_t> dst(2);
  const void* in[] = {zeros.data()};
  void* out[] = {dst.data()};
  runtime::Arena arena;
  arena.Reserve(plan->arena_bytes());
  kernels::Sequential sequential;
  const absl::Status status = runtime::Run(*plan, arena, in, out, sequential);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), ::testing::HasSubstr("ratio"));
}

}  // namespace
}  // namespace fourfold::runtime
