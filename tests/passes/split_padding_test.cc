#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/graph/infer_shapes.h"
#include "server/graph/validate.h"
#include "server/passes/passes.h"
#include "tests/testing/graph_builder.h"

namespace fourfold::passes {
namespace {

using testing::Count;
using ::testing::ElementsAre;
using testing::GraphBuilder;
using testing::Only;

// A convolution of one kernel size with the same padding on all sides.
graph::Graph ConvGraph(int64_t kernel, int64_t pad, int64_t dilation = 1) {
  GraphBuilder b;
  graph::Conv conv;
  conv.window.pads = {pad, pad, pad, pad};
  conv.window.dilations = {dilation, dilation};
  b.Output(b.Conv(b.Input("x", {1, 2, 5, 5}), b.Varied({3, 2, kernel, kernel}), GraphBuilder::kNone,
                  conv));
  return b.Build();
}

TEST(SplitPaddingTest, GivesWindowsInThePaddingAPadOfTheirOwn) {
  graph::Graph graph = ConvGraph(/*kernel=*/1, /*pad=*/1);
  const graph::Shape before = *graph.value(graph.outputs[0]).shape;
  ASSERT_TRUE(SplitPadding(graph).ok());
  ASSERT_TRUE(graph::InferShapes(graph).ok());
  ASSERT_TRUE(graph::Validate(graph).ok());
  const graph::Node* pad = Only<graph::Pad>(graph);
  ASSERT_NE(pad, nullptr);
  EXPECT_THAT(graph.ConstantInput(*pad, 1)->ToInt64(), ElementsAre(0, 0, 1, 1, 0, 0, 1, 1));
  EXPECT_THAT(Only<graph::Conv>(graph)->as<graph::Conv>()->window.pads, ElementsAre(0, 0, 0, 0));
  EXPECT_EQ(*graph.value(graph.outputs[0]).shape, before);
}

TEST(SplitPaddingTest, LeavesWindowsThatReachTheImage) {
  for (graph::Graph graph : {ConvGraph(3, 1), ConvGraph(3, 2), ConvGraph(2, 2, /*dilation=*/2)}) {
    ASSERT_TRUE(SplitPadding(graph).ok());
    EXPECT_EQ(Count<graph::Pad>(graph), 0u);
  }
}

TEST(SplitPaddingTest, CountsTheWholeDilatedWindow) {
  graph::Graph graph = ConvGraph(2, 3, /*dilation=*/2);
  ASSERT_TRUE(SplitPadding(graph).ok());
  EXPECT_EQ(Count<graph::Pad>(graph), 1u);
}

}  // namespace
}  // namespace fourfold::passes
