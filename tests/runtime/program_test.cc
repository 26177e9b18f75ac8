#include "server/runtime/program.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/testing/graph_builder.h"

namespace fourfold::runtime {
namespace {

using graph::DataType;
using graph::Graph;
using graph::Tensor;
using graph::TensorPtr;
using graph::ValueId;
using ::testing::ElementsAre;
using testing::GraphBuilder;
using ::testing::HasSubstr;

TensorPtr Floats(const graph::Shape& shape, const std::vector<float>& values) {
  return Tensor::Of(DataType::kFloat32, shape, values);
}
TensorPtr Int64s(const std::vector<int64_t>& values) {
  return Tensor::Of(DataType::kInt64, {static_cast<int64_t>(values.size())}, values);
}
TensorPtr Int64(int64_t value) {
  return Tensor::Of(DataType::kInt64, {}, std::vector<int64_t>{value});
}
TensorPtr Bool(bool value) { return Tensor::Of(DataType::kBool, {}, std::vector<uint8_t>{value}); }

absl::StatusOr<std::vector<TensorPtr>> Answer(const Program& program,
                                              const std::vector<TensorPtr>& inputs) {
  std::vector<TensorRef> refs;
  for (const TensorPtr& input : inputs)
    refs.push_back({input->type(), input->shape(), input->data()});
  Arena arena;
  kernels::Sequential sequential;
  return program.Run(refs, arena, sequential);
}

std::vector<TensorPtr> RunOk(const Program& program, const std::vector<TensorPtr>& inputs) {
  absl::StatusOr<std::vector<TensorPtr>> outputs = Answer(program, inputs);
  EXPECT_TRUE(outputs.ok()) << outputs.status();
  return outputs.ok() ? *outputs : std::vector<TensorPtr>();
}

TEST(ProgramTest, AGraphWithKnownShapesIsOnePlan) {
  GraphBuilder b;
  b.Output(b.Relu(b.Input("x", {graph::kUnknownDim, 3})));
  const Program program(b.Build(), {}, 4);
  EXPECT_TRUE(program.single_plan());
  EXPECT_FALSE(program.wants_contents());
  const auto outputs = RunOk(program, {Floats({2, 3}, {-1, 2, -3, 4, -5, 6})});
  EXPECT_THAT(outputs[0]->ToFloat(), ElementsAre(0, 2, 0, 4, 0, 6));
  EXPECT_THAT(outputs[0]->shape(), ElementsAre(2, 3));
}

TEST(ProgramTest, AnInputMayDecideAShape) {
  GraphBuilder b;
  const ValueId x = b.Input("x", {2, 3});
  const ValueId shape = b.Input("shape", {2}, DataType::kInt64);
  b.Output(b.Add(graph::Reshape{}, {x, shape}));
  const Program program(b.Build(), {}, 4);
  EXPECT_TRUE(program.single_plan());
  EXPECT_TRUE(program.wants_contents());
  const TensorPtr data = Floats({2, 3}, {1, 2, 3, 4, 5, 6});
  EXPECT_THAT(RunOk(program, {data, Int64s({3, 2})})[0]->shape(), ElementsAre(3, 2));
  EXPECT_THAT(RunOk(program, {data, Int64s({-1, 1})})[0]->shape(), ElementsAre(6, 1));
  EXPECT_EQ(program.CachedPlans().size(), 2u);
  EXPECT_EQ(Answer(program, {data, Int64s({4, 2})}).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST(ProgramTest, PlansAreBounded) {
  GraphBuilder b;
  const ValueId x = b.Input("x", {12});
  const ValueId shape = b.Input("shape", {2}, DataType::kInt64);
  b.Output(b.Add(graph::Reshape{}, {x, shape}));
  const Program program(b.Build(), {}, 2);
  const TensorPtr data = Floats({12}, std::vector<float>(12, 1.0f));
  for (int64_t rows : {1, 2, 3, 4, 6, 12}) RunOk(program, {data, Int64s({rows, -1})});
  EXPECT_EQ(program.CachedPlans().size(), 2u);
}

// y = the elements of x that are not 0, doubled.
TEST(ProgramTest, ShapesMayDependOnTheData) {
  GraphBuilder b;
  const ValueId x = b.Input("x", {graph::kUnknownDim});
  const ValueId where = b.Add(graph::NonZero{}, {x});
  const ValueId flat = b.Reshape(where, {-1});
  const ValueId picked = b.Add(graph::Gather{.axis = 0}, {x, flat});
  b.Output(b.Sum(picked, picked));
  const Program program(b.Build(), {}, 4);
  EXPECT_FALSE(program.single_plan());
  EXPECT_THAT(RunOk(program, {Floats({4}, {0, 3, 0, 5})})[0]->ToFloat(), ElementsAre(6, 10));
  EXPECT_THAT(RunOk(program, {Floats({3}, {7, 0, 0})})[0]->ToFloat(), ElementsAre(14));
  EXPECT_THAT(RunOk(program, {Floats({2}, {0, 0})})[0]->shape(), ElementsAre(0));
}

std::shared_ptr<const Graph> Body(GraphBuilder b) {
  return std::make_shared<const Graph>(b.BuildUnchecked());
}

graph::If DoubleOrNegate() {
  GraphBuilder yes, no;
  const ValueId a = yes.Input("a", {1, 2});
  yes.Output(yes.Sum(a, a));
  const ValueId c = no.Input("c", {1, 2});
  no.Output(no.Eltwise(c, graph::Eltwise::Function::kNeg));
  return {Body(std::move(yes)), Body(std::move(no))};
}

TEST(ProgramTest, ABranchIsPlannedWhereASmallInputDecides) {
  GraphBuilder b;
  const ValueId condition = b.Input("condition", {}, DataType::kBool);
  const ValueId x = b.Input("x", {1, 2});
  b.Output(b.Add(DoubleOrNegate(), {condition, x}));
  const Program program(b.Build(), {}, 4);
  EXPECT_TRUE(program.single_plan());
  const TensorPtr data = Floats({1, 2}, {3, -4});
  EXPECT_THAT(RunOk(program, {Bool(true), data})[0]->ToFloat(), ElementsAre(6, -8));
  EXPECT_THAT(RunOk(program, {Bool(false), data})[0]->ToFloat(), ElementsAre(-3, 4));
}

TEST(ProgramTest, ABranchIsTakenWhenTheDataAreThere) {
  GraphBuilder b;
  const ValueId x = b.Input("x", {1, 2});
  const ValueId largest = b.Add(
      graph::Reduce{
          .operation = graph::Reduce::Operation::kMax, .axes = {0, 1}, .keep_dims = false},
      {x});
  const ValueId condition =
      b.Add(graph::Cast{DataType::kBool}, {b.Relu(largest)});  // is there a positive one?
  b.Output(b.Add(DoubleOrNegate(), {condition, x}));
  const Program program(b.Build(), {}, 4);
  EXPECT_FALSE(program.single_plan());
  EXPECT_THAT(RunOk(program, {Floats({1, 2}, {3, -4})})[0]->ToFloat(), ElementsAre(6, -8));
  EXPECT_THAT(RunOk(program, {Floats({1, 2}, {-3, -4})})[0]->ToFloat(), ElementsAre(3, 4));
}

// Each iteration doubles the carried list by joining it to itself and gives out its iteration.
graph::Loop Doubling() {
  GraphBuilder b;
  const ValueId i = b.Input("i", {}, DataType::kInt64);
  const ValueId go_on = b.Input("go_on", {}, DataType::kBool);
  const ValueId list = b.Input("list", {graph::kUnknownDim});
  b.Output(b.Identity(go_on), "again");
  b.Output(b.Concat({list, list}, 0), "longer");
  b.Output(b.Identity(i), "count");
  return {Body(std::move(b)), 1};
}

TEST(ProgramTest, ALoopRunsAsOftenAsItsTripCountSays) {
  GraphBuilder b;
  const ValueId trips = b.Input("trips", {}, DataType::kInt64);
  const ValueId list = b.Input("list", {graph::kUnknownDim});
  const auto results = b.AddMany(Doubling(), {trips, GraphBuilder::kNone, list}, 2);
  b.Output(results[0]);
  b.Output(results[1]);
  const Program program(b.Build(), {}, 4);
  const auto three = RunOk(program, {Int64(3), Floats({1}, {5})});
  EXPECT_THAT(three[0]->ToFloat(), ElementsAre(5, 5, 5, 5, 5, 5, 5, 5));
  EXPECT_THAT(three[1]->ToInt64(), ElementsAre(0, 1, 2));
  const auto none = RunOk(program, {Int64(0), Floats({2}, {5, 6})});
  EXPECT_THAT(none[0]->ToFloat(), ElementsAre(5, 6));
  EXPECT_THAT(none[1]->shape(), ElementsAre(0));
}

TEST(ProgramTest, ALoopWhoseConditionStartsFalseDoesNotRun) {
  GraphBuilder b;
  const ValueId go_on = b.Input("go_on", {}, DataType::kBool);
  const ValueId list = b.Input("list", {graph::kUnknownDim});
  b.Output(b.AddMany(Doubling(), {b.Constant(Int64(2)), go_on, list}, 2)[0]);
  const Program program(b.Build(), {}, 4);
  EXPECT_THAT(RunOk(program, {Bool(false), Floats({1}, {5})})[0]->ToFloat(), ElementsAre(5));
  EXPECT_THAT(RunOk(program, {Bool(true), Floats({1}, {5})})[0]->ToFloat(),
              ElementsAre(5, 5, 5, 5));
}

// Running sums from the back.
TEST(ProgramTest, AScanWalksItsSequences) {
  GraphBuilder body;
  const ValueId sum = body.Input("sum", {2});
  const ValueId element = body.Input("element", {2});
  const ValueId more = body.Sum(sum, element);
  body.Output(more, "more");
  body.Output(body.Identity(more), "seen");
  GraphBuilder b;
  const ValueId start = b.Input("start", {2});
  const ValueId sequence = b.Input("sequence", {graph::kUnknownDim, 2});
  graph::Scan scan{Body(std::move(body)), 1, 1, {0}, {1}, {true}, {false}};
  const auto results = b.AddMany(std::move(scan), {start, sequence}, 2);
  b.Output(results[0]);
  b.Output(results[1]);
  const Program program(b.Build(), {}, 4);
  const auto outputs = RunOk(program, {Floats({2}, {10, 20}), Floats({3, 2}, {1, 2, 3, 4, 5, 6})});
  EXPECT_THAT(outputs[0]->ToFloat(), ElementsAre(19, 32));
  EXPECT_THAT(outputs[1]->shape(), ElementsAre(2, 3));  // stacked along axis 1
  EXPECT_THAT(outputs[1]->ToFloat(), ElementsAre(15, 18, 19, 26, 30, 32));
}

TEST(ProgramTest, WrongDataNameTheirNode) {
  GraphBuilder b;
  const ValueId x = b.Input("x", {3});
  const ValueId at = b.Input("at", {1, 2}, DataType::kInt64);
  b.Named("pick");
  b.Output(b.Add(graph::Gather{.axis = 0}, {x, at}));
  const Program program(b.Build(), {}, 4);
  const absl::Status status =
      Answer(program, {Floats({3}, {1, 2, 3}),
                       Tensor::Of(DataType::kInt64, {1, 2}, std::vector<int64_t>{0, 3})})
          .status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("\"pick\""));
}

}  // namespace
}  // namespace fourfold::runtime
