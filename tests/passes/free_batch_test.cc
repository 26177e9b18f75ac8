#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/passes/passes.h"
#include "tests/testing/graph_builder.h"

namespace fourfold::passes {
namespace {

using graph::Graph;
using graph::ValueId;
using ::testing::ElementsAre;
using testing::GraphBuilder;
using ::testing::HasSubstr;

TEST(FreeBatchTest, AFixedBatchOfOneBecomesAnyBatch) {
  GraphBuilder b;
  const ValueId x = b.Input("x", {1, 2, 3});
  b.Output(b.MatMul(b.Reshape(b.Relu(x), {1, 6}), b.Varied({6, 4})), "y");
  const auto freed = FreeBatch(b.Build());
  ASSERT_TRUE(freed.ok()) << freed.status();
  EXPECT_THAT(*freed->value(freed->inputs[0]).shape, ElementsAre(graph::kUnknownDim, 2, 3));
  EXPECT_THAT(*freed->value(freed->outputs[0]).shape, ElementsAre(graph::kUnknownDim, 4));
  EXPECT_EQ(freed->input_dim_names[0][0], "N");
}

TEST(FreeBatchTest, AFirstDimensionThatIsNotOneStays) {
  GraphBuilder b;
  b.Output(b.Relu(b.Input("x", {2, 3})));
  EXPECT_EQ(FreeBatch(b.Build()).status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST(FreeBatchTest, AnOutputThatMixesSamplesIsNamed) {
  GraphBuilder b;
  const ValueId x = b.Input("x", {1, 3});
  b.Output(b.Add(graph::Reduce{.axes = {0}}, {x}), "mean");
  const absl::Status status = FreeBatch(b.Build()).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("'mean'"));
}

}  // namespace
}  // namespace fourfold::passes
