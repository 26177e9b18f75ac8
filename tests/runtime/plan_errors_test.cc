#include <gmock/gmock.h>

#include "tests/runtime/run_graph.h"

namespace fourfold::runtime {
namespace {

using fourfold::testing::GraphBuilder;
using graph::DataType;
using graph::Graph;
using graph::ValueId;
using ::testing::HasSubstr;

absl::Status CompileStatus(const Graph& graph, const std::vector<graph::Shape>& shapes,
                           PlanOptions options = {}) {
  return CompilePlan(graph, shapes, options).status();
}

Graph Dense() {
  GraphBuilder b;
  const ValueId x = b.Input("x", {graph::kUnknownDim, 4});
  b.Output(b.MatMul(x, b.Varied({4, 3})));
  return b.Build();
}

TEST(PlanErrorsTest, ShapesThatDoNotFitAreInvalid) {
  EXPECT_EQ(CompileStatus(Dense(), {{2, 5}}).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(CompileStatus(Dense(), {{2, 4, 1}}).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(CompileStatus(Dense(), {}).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(CompileStatus(Dense(), {{graph::kUnknownDim, 4}}).code(),
            absl::StatusCode::kInvalidArgument);
}

TEST(PlanErrorsTest, AnEmptyBatchIsNoError) { EXPECT_TRUE(CompileStatus(Dense(), {{0, 4}}).ok()); }

TEST(PlanErrorsTest, AnEmptySumIsInvalid) {
  GraphBuilder b;
  const ValueId x = b.Input("x", {2, 0});
  b.Output(b.MatMul(x, b.Constant({0, 3}, std::vector<float>{})));
  EXPECT_EQ(CompileStatus(b.BuildUnchecked(), {{2, 0}}).code(), absl::StatusCode::kInvalidArgument);
}

TEST(PlanErrorsTest, AShapeThatDependsOnTheDataIsInvalid) {
  GraphBuilder b;
  const ValueId x = b.Input("x", {1, 4});
  const ValueId shape = b.Input("shape", {2}, DataType::kInt64);
  b.Output(b.Add(graph::Reshape{}, {x, shape}));
  EXPECT_EQ(CompileStatus(b.BuildUnchecked(), {{1, 4}, {2}}).code(),
            absl::StatusCode::kInvalidArgument);
}

TEST(PlanErrorsTest, AnUnknownEngineHasNoKernels) {
  PlanOptions options;
  options.engine = "abacus";
  EXPECT_EQ(CompileStatus(Dense(), {{1, 4}}, options).code(), absl::StatusCode::kUnimplemented);
}

TEST(PlanErrorsTest, ALargerArenaThanAllowedIsRefused) {
  GraphBuilder b;
  ValueId x = b.Input("x", {1, 1000});
  for (int i = 0; i < 3; ++i) x = b.Eltwise(x, graph::Eltwise::Function::kAbs);
  b.Output(x);
  const Graph graph = b.Build();
  PlanOptions options;
  const auto plan = CompilePlan(graph, {{1, 1000}}, options);
  ASSERT_TRUE(plan.ok()) << plan.status();
  options.arena_bytes_max = (*plan)->arena_bytes();
  EXPECT_TRUE(CompileStatus(graph, {{1, 1000}}, options).ok());
  options.arena_bytes_max -= 1;
  EXPECT_EQ(CompileStatus(graph, {{1, 1000}}, options).code(),
            absl::StatusCode::kResourceExhausted);
}

TEST(PlanErrorsTest, AGatheredIndexOutsideIsInvalid) {
  GraphBuilder b;
  const ValueId x = b.Input("x", {2, 3});
  b.Output(b.Add(graph::Gather{0}, {x, b.Integers({2})}));
  EXPECT_EQ(CompileStatus(b.BuildUnchecked(), {{2, 3}}).code(), absl::StatusCode::kInvalidArgument);
}

TEST(PlanErrorsTest, ABiasTooLargeForItsScaleIsInvalid) {
  graph::Graph graph;
  GraphBuilder b;
  const ValueId x = b.Input("x", {1, 1}, DataType::kUint8);
  b.value(x).quantization = graph::Quantization{{1e-30f}, {0}};
  const ValueId w = b.Bytes(DataType::kInt8, {1, 1}, {1});
  b.value(w).quantization = graph::Quantization{{1e-30f}, {0}, 1};
  b.Output(b.MatMul(x, w, b.Constant({1}, {1.0f})));
  const absl::Status status = CompileStatus(b.BuildUnchecked(), {{1, 1}});
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
  EXPECT_THAT(status.message(), HasSubstr("bias"));
}

}  // namespace
}  // namespace fourfold::runtime
