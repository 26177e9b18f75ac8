#include "server/graph/validate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <utility>

#include "tests/testing/graph_builder.h"

namespace fourfold::graph {
namespace {

using ::fourfold::testing::GraphBuilder;
using ::testing::HasSubstr;

Graph Chain() {
  GraphBuilder b;
  b.Output(b.Named("second").Sigmoid(b.Named("first").Relu(b.Input("x", {1, 4}))));
  return b.Build();
}

void ExpectBroken(const Graph& graph, const std::string& says) {
  const absl::Status status = Validate(graph);
  EXPECT_EQ(status.code(), absl::StatusCode::kInternal);
  EXPECT_THAT(std::string(status.message()), HasSubstr(says));
}

TEST(ValidateTest, AcceptsAWellFormedGraph) { EXPECT_TRUE(Validate(Chain()).ok()); }

TEST(ValidateTest, RefusesConsumersBeforeProducers) {
  Graph graph = Chain();
  std::swap(graph.nodes[0], graph.nodes[1]);
  ExpectBroken(graph, "before it is computed");
}

TEST(ValidateTest, RefusesTwoProducersOfAValue) {
  Graph graph = Chain();
  graph.nodes[1].outputs = graph.nodes[0].outputs;
  ExpectBroken(graph, "has a producer already");
}

TEST(ValidateTest, RefusesIdsOutOfRange) {
  Graph graph = Chain();
  graph.nodes[0].inputs = {1000};
  ExpectBroken(graph, "first reads value 1000");
}

TEST(ValidateTest, RefusesEqualNodeNames) {
  Graph graph = Chain();
  graph.nodes[1].name = "first";
  ExpectBroken(graph, "two nodes are named 'first'");
}

TEST(ValidateTest, RefusesOutputsThatNobodyComputes) {
  Graph graph = Chain();
  graph.nodes.pop_back();
  ExpectBroken(graph, "computed by no node");
}

TEST(ValidateTest, RefusesQuantizationsThatDoNotFit) {
  const auto broken = [](DataType type, Quantization how, const std::string& says) {
    Graph graph = Chain();
    Value& value = graph.value(graph.nodes[0].outputs[0]);
    value.type = type;
    value.quantization = std::move(how);
    ExpectBroken(graph, says);
  };
  broken(DataType::kFloat32, {{1.0f}, {0}, -1}, "float32");
  broken(DataType::kUint8, {{1.0f, 2.0f}, {0}, -1}, "2 scales and 1 zero points");
  broken(DataType::kUint8, {{1.0f, 2.0f}, {0, 0}, -1}, "wanted 1 per tensor");
  broken(DataType::kUint8, {{1.0f, 2.0f}, {0, 0}, 1}, "along axis 1");
  broken(DataType::kUint8, {{-1.0f}, {0}, -1}, "scale -1");
  broken(DataType::kInt8, {{1.0f}, {128}, -1}, "zero point 128");
}

TEST(DebugTextTest, ShowsShapesTypesAndQuantization) {
  GraphBuilder b;
  const ValueId y = b.Named("relu").Relu(b.Input("x", {kUnknownDim, 4}));
  b.value(y).type = DataType::kUint8;
  b.value(y).quantization = Quantization{{0.5f}, {128}, -1};
  b.Output(y);
  EXPECT_EQ(DebugText(b.Build()),
            "relu: Eltwise(x [?, 4] float32) -> relu [?, 4] uint8 {0.5, 128}\n");
}

}  // namespace
}  // namespace fourfold::graph
