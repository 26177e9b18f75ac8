// Plans that select, rearrange and repeat elements: every type, empty tensors, wrong data, integers
// that stand for real numbers.

#include <gmock/gmock.h>

#include <numeric>

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
using graph::DataType;
using graph::Graph;
using graph::ValueId;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

using Floats = std::vector<float>;
using Ints = std::vector<int64_t>;

Graph Absorbed(Graph graph) {
  const absl::Status status = passes::AbsorbQuantization(graph);
  EXPECT_TRUE(status.ok()) << status;
  return graph;
}

// ---- Embeddings

// 300 rows of 4 numbers, row r all r % 100 - 50 with the scale r / 16.
Graph Embedding(bool per_row) {
  GraphBuilder b;
  std::vector<int> elements;
  std::vector<float> scales;
  for (int r = 0; r < 300; ++r) {
    elements.insert(elements.end(), 4, r % 100 - 50);
    scales.push_back(static_cast<float>(r) / 16);
  }
  if (!per_row) scales = {0.5f};
  const ValueId table = b.QuantizedWeights({300, 4}, elements, scales, 0);
  const ValueId indices = b.Input("ids", {2, 3}, DataType::kInt64);
  b.Output(b.Named("lookup").Add(graph::Gather{0}, {table, indices}));
  return Absorbed(b.Build());
}

TEST(PlanEmbeddingTest, RowsOfAnIntegerTableAreDequantizedAsTheyAreRead) {
  for (const bool per_row : {true, false}) {
    const auto plan = Compile(Embedding(per_row));
    ASSERT_NE(plan, nullptr);
    ASSERT_EQ(plan->steps().size(), 1u);
    EXPECT_EQ(plan->steps()[0].implementation, "reference/gather_dequantized");
    EXPECT_EQ(plan->arena_bytes(), 0u);
    const Ints ids = {0, 299, -1, 16, 160, 7};
    const Floats got = FromBytes<float>(RunPlan(*plan, {ToBytes(ids)})[0]);
    for (size_t i = 0; i < ids.size(); ++i) {
      const auto row = static_cast<int>(ids[i] < 0 ? ids[i] + 300 : ids[i]);
      const float scale = per_row ? static_cast<float>(row) / 16 : 0.5f;
      for (size_t k = 0; k < 4; ++k) {
        EXPECT_EQ(got[i * 4 + k], scale * static_cast<float>(row % 100 - 50)) << row;
      }
    }
  }
}

TEST(PlanEmbeddingTest, AnIndexOutsideIsTheCallersFault) {
  for (const int64_t index : {int64_t{300}, int64_t{-301}}) {
    const auto plan = Compile(Embedding(true));
    const Ints ids = {0, 1, 2, 3, index, 5};
    Floats out(24);
    const void* in[] = {ids.data()};
    void* to[] = {out.data()};
    Arena arena;
    kernels::Sequential sequential;
    const absl::Status status = runtime::Run(*plan, arena, in, to, sequential);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(status.message(), HasSubstr("lookup"));
    EXPECT_THAT(status.message(), HasSubstr("an index lies outside of its axis"));
  }
}

TEST(PlanEmbeddingTest, AnyNumberOfIndices) {
  GraphBuilder b;
  Floats table(50 * 3);
  std::iota(table.begin(), table.end(), 0.0f);
  const ValueId ids = b.Input("ids", {10000}, DataType::kInt64);
  b.Output(b.Add(graph::Gather{0}, {b.Constant({50, 3}, table), ids}));
  const auto plan = Compile(b.Build());
  Ints indices(10000);
  for (size_t i = 0; i < indices.size(); ++i) indices[i] = static_cast<int64_t>(i * 7 % 50);
  const Floats got = FromBytes<float>(RunPlan(*plan, {ToBytes(indices)})[0]);
  for (size_t i = 0; i < got.size(); ++i) {
    ASSERT_EQ(got[i], static_cast<float>(indices[i / 3] * 3 + static_cast<int64_t>(i % 3)));
  }
}

// ---- Integers that stand for real numbers

TEST(PlanMovementTest, QuantizedValuesAreMovedAsIntegers) {
  const std::vector<graph::Operation> operations = {graph::DepthToSpace{2}, graph::SpaceToDepth{1},
                                                    graph::Tile{}};
  for (const graph::Operation& operation : operations) {
    GraphBuilder b;
    std::vector<ValueId> inputs = {b.QuantizeDequantize(b.Input("x", {1, 4, 1, 1}), 0.5f, 10)};
    if (std::holds_alternative<graph::Tile>(operation)) inputs.push_back(b.Integers({1, 1, 1, 1}));
    b.Output(b.QuantizeDequantize(b.Add(operation, inputs), 0.5f, 10));
    const Graph graph = Absorbed(b.Build());
    EXPECT_EQ(CountSteps(*Compile(graph), "Dequantize"), 1u) << "of the output alone";
    EXPECT_THAT(RunFloat(graph, {{1, -2, 3, 4.5f}}), ElementsAre(1, -2, 3, 4.5f));
  }
}

// ---- Every type

class PlanTypesTest : public ::testing::TestWithParam<DataType> {
 protected:
  // Element i holds the byte i in all of its bytes (0 or 1 for booleans).
  Bytes Elements(const Ints& numbers) const {
    Bytes bytes;
    for (int64_t number : numbers)
      bytes.insert(bytes.end(), kernels::ElementSize(GetParam()), std::byte(number));
    return bytes;
  }

  // The output of one node on x [2, 3] = {1, ..., 6}.
  Bytes Result(const graph::Operation& operation,
               const std::function<std::vector<ValueId>(GraphBuilder&, ValueId)>& inputs) {
    GraphBuilder b;
    const ValueId x = b.Input("x", {2, 3}, GetParam());
    b.Output(b.Add(operation, inputs(b, x)));
    const Graph graph = b.Build();
    EXPECT_EQ(graph.value(graph.outputs[0]).type, GetParam());
    const auto plan = Compile(graph);
    return plan == nullptr ? Bytes() : RunPlan(*plan, {Elements({1, 2, 3, 4, 5, 6})})[0];
  }
};

TEST_P(PlanTypesTest, AreMovedAlike) {
  using Inputs = std::vector<ValueId>;
  const auto alone = [](GraphBuilder&, ValueId x) { return Inputs{x}; };
  EXPECT_EQ(Result(graph::Transpose{}, alone), Elements({1, 4, 2, 5, 3, 6}));
  EXPECT_EQ(Result(graph::Flatten{0}, alone), Elements({1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(Result(graph::Trilu{.upper = true}, alone), Elements({1, 2, 3, 0, 5, 6}));
  EXPECT_EQ(Result(graph::Slice{},
                   [](GraphBuilder& b, ValueId x) {
                     return Inputs{x, b.Integers({-1, 2}), b.Integers({-9, 0}), b.Integers({0, 1}),
                                   b.Integers({-1, -2})};
                   }),
            Elements({6, 3}));
  EXPECT_EQ(Result(graph::Concat{1},
                   [](GraphBuilder&, ValueId x) {
                     return Inputs{x, x};
                   }),
            Elements({1, 2, 3, 1, 2, 3, 4, 5, 6, 4, 5, 6}));
  EXPECT_EQ(Result(graph::Tile{},
                   [](GraphBuilder& b, ValueId x) {
                     return Inputs{x, b.Integers({1, 2})};
                   }),
            Elements({1, 2, 3, 1, 2, 3, 4, 5, 6, 4, 5, 6}));
  EXPECT_EQ(Result(graph::Expand{},
                   [](GraphBuilder& b, ValueId x) {
                     return Inputs{x, b.Integers({2, 1, 1})};
                   }),
            Elements({1, 2, 3, 4, 5, 6, 1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(Result(graph::Gather{1},
                   [](GraphBuilder& b, ValueId x) {
                     return Inputs{x, b.Integers({2, -3})};
                   }),
            Elements({3, 1, 6, 4}));
  EXPECT_EQ(Result(graph::GatherNd{},
                   [](GraphBuilder& b, ValueId x) {
                     return Inputs{x, b.Integers({-1})};
                   }),
            Elements({4, 5, 6}));
  const auto pads = [](GraphBuilder& b, ValueId x) { return Inputs{x, b.Integers({0, 1, 0, 1})}; };
  EXPECT_EQ(Result(graph::Pad{}, pads), Elements({0, 1, 2, 3, 0, 0, 4, 5, 6, 0}));
  EXPECT_EQ(Result(graph::Pad{graph::Pad::Mode::kReflect}, pads),
            Elements({2, 1, 2, 3, 2, 5, 4, 5, 6, 5}));
  EXPECT_EQ(Result(graph::Pad{graph::Pad::Mode::kEdge}, pads),
            Elements({1, 1, 2, 3, 3, 4, 4, 5, 6, 6}));
  EXPECT_EQ(Result(graph::Pad{graph::Pad::Mode::kWrap}, pads),
            Elements({3, 1, 2, 3, 1, 6, 4, 5, 6, 4}));
}

INSTANTIATE_TEST_SUITE_P(Types, PlanTypesTest,
                         ::testing::Values(DataType::kFloat32, DataType::kFloat16,
                                           DataType::kBFloat16, DataType::kFloat64, DataType::kInt8,
                                           DataType::kUint8, DataType::kInt16, DataType::kUint16,
                                           DataType::kInt32, DataType::kUint32, DataType::kInt64,
                                           DataType::kUint64, DataType::kBool),
                         [](const auto& info) { return graph::TypeText(info.param); });

// ---- Empty tensors

TEST(PlanEmptyTest, EmptyPartsOfAConcatenationAddNothing) {
  GraphBuilder b;
  const ValueId x = b.Input("x", {2, 2});
  const ValueId none =
      b.Add(graph::Slice{}, {x, b.Integers({1}), b.Integers({1}), b.Integers({1})});
  b.Output(b.Concat({none, x, none}, 1));
  EXPECT_THAT(RunFloat(b.Build(), {{1, 2, 3, 4}}), ElementsAre(1, 2, 3, 4));
}

TEST(PlanEmptyTest, PaddingMakesSomethingOfNothing) {
  GraphBuilder b;
  b.Output(b.Add(graph::Pad{}, {b.Input("x", {0, 2}), b.Integers({1, 0, 1, 0}), b.Scalar(7)}));
  EXPECT_THAT(RunFloat(b.Build(), {{}}), ElementsAre(7, 7, 7, 7));
}

TEST(PlanEmptyTest, WithoutIndicesNothingIsGatheredOrScattered) {
  GraphBuilder b;
  const ValueId x = b.Input("x", {3});
  const ValueId ids = b.Input("ids", {0}, DataType::kInt64);
  const ValueId none = b.Input("none", {0});
  const ValueId positions = b.Input("positions", {0, 1}, DataType::kInt64);
  b.Output(b.Add(graph::Gather{0}, {x, ids}));
  b.Output(b.Add(graph::ScatterElements{0}, {x, ids, none}));
  b.Output(b.Add(graph::ScatterNd{}, {x, positions, none}));
  const auto plan = Compile(b.Build());
  ASSERT_NE(plan, nullptr);
  const auto outputs = RunPlan(*plan, {ToBytes(Floats{1, 2, 3}), {}, {}, {}});
  EXPECT_EQ(outputs[0].size(), 0u);
  EXPECT_THAT(FromBytes<float>(outputs[1]), ElementsAre(1, 2, 3));
  EXPECT_THAT(FromBytes<float>(outputs[2]), ElementsAre(1, 2, 3));
}

TEST(PlanEmptyTest, EmptyResultsHaveTheirShapes) {
  GraphBuilder b;
  const ValueId x = b.Input("x", {0, 3}, DataType::kInt64);
  b.Output(b.Add(graph::Transpose{}, {x}));
  b.Output(b.Add(graph::Tile{}, {x, b.Integers({2, 2})}));
  b.Output(b.Add(graph::Reshape{true}, {x, b.Integers({3, 0, 5})}));
  const std::vector<ValueId> best = b.AddMany(graph::TopK{}, {x, b.Integers({2})}, 2);
  b.Output(best[0]);
  b.Output(best[1]);
  const auto plan = Compile(b.Build());
  ASSERT_NE(plan, nullptr);
  EXPECT_THAT(plan->outputs()[0].shape, ElementsAre(3, 0));
  EXPECT_THAT(plan->outputs()[1].shape, ElementsAre(0, 6));
  EXPECT_THAT(plan->outputs()[2].shape, ElementsAre(3, 0, 5));
  EXPECT_THAT(plan->outputs()[3].shape, ElementsAre(0, 2));
  for (const Bytes& output : RunPlan(*plan, {{}})) EXPECT_TRUE(output.empty());
}

}  // namespace
}  // namespace fourfold::runtime
