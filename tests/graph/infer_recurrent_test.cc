#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/graph/infer_shapes.h"
#include "server/graph/recurrent.h"
#include "tests/testing/graph_builder.h"

namespace fourfold::graph {
namespace {

using ::fourfold::testing::GraphBuilder;
using ::testing::HasSubstr;
using Function = Recurrent::Function;
using Kind = Recurrent::Kind;

Recurrent Layer(Kind kind, int64_t hidden) {
  Recurrent recurrent;
  recurrent.kind = kind;
  recurrent.hidden_size = hidden;
  recurrent.functions = {{Function::kSigmoid}, {Function::kTanh}, {Function::kTanh}};
  recurrent.functions.resize(kind == Kind::kLstm ? 3 : kind == Kind::kGru ? 2 : 1);
  return recurrent;
}

// The error of a layer of 4 hidden units over x [T, 2, 3] whose operands `change` may replace.
template <typename Change>
std::string Error(Recurrent recurrent, const Change& change) {
  GraphBuilder b;
  const int64_t rows = GateCount(recurrent.kind) * 4;
  std::vector<ValueId> inputs = {b.Input("x", {kUnknownDim, 2, 3}),
                                 b.Filled({rows, 3}, 0.5f),
                                 b.Filled({rows, 4}, 0.5f),
                                 b.Filled({2 * rows}, 0.5f),
                                 kNoValue,
                                 kNoValue,
                                 kNoValue,
                                 kNoValue};
  change(b, recurrent, inputs);
  b.Output(b.AddMany(recurrent, inputs, 2)[0]);
  Graph graph = b.BuildUnchecked();
  return std::string(InferShapes(graph).message());
}

TEST(InferRecurrentTest, GivesAllStatesAndTheLastOnes) {
  for (const Kind kind : {Kind::kRnn, Kind::kGru, Kind::kLstm}) {
    GraphBuilder b;
    const int64_t rows = GateCount(kind) * 4;
    const std::vector<ValueId> outputs = b.AddMany(
        Layer(kind, 4),
        {b.Input("x", {kUnknownDim, 2, 3}), b.Filled({rows, 3}, 0.5f), b.Filled({rows, 4}, 0.5f)},
        kind == Kind::kLstm ? 3 : 2);
    for (const ValueId id : outputs) b.Output(id);
    const Graph graph = b.Build();
    EXPECT_EQ(graph.value(outputs[0]).shape, (Shape{kUnknownDim, 2, 4}));
    for (size_t i = 1; i < outputs.size(); ++i)
      EXPECT_EQ(graph.value(outputs[i]).shape, (Shape{2, 4}));
  }
}

TEST(InferRecurrentTest, RefusesOperandsThatDoNotFit) {
  const Recurrent gru = Layer(Kind::kGru, 4);
  EXPECT_EQ(Error(gru, [](auto&, auto&, auto&) {}), "");
  EXPECT_THAT(Error(gru,
                    [](auto& b, auto&, auto& in) {
                      in[0] = b.Input("y", {2, 3});
                    }),
              HasSubstr("[steps, samples, inputs]"));
  EXPECT_THAT(Error(gru,
                    [](auto& b, auto&, auto& in) {
                      in[1] = b.Filled({16, 3}, 0.5f);
                    }),
              HasSubstr("wanted [12, 3]"));
  EXPECT_THAT(Error(gru,
                    [](auto& b, auto&, auto& in) {
                      in[2] = b.Filled({12, 3}, 0.5f);
                    }),
              HasSubstr("wanted [12, 4]"));
  EXPECT_THAT(Error(gru, [](auto& b, auto&, auto& in) { in[3] = b.Filled({12}, 0.5f); }),
              HasSubstr("wanted [24]"));
  EXPECT_THAT(Error(gru,
                    [](auto& b, auto&, auto& in) {
                      in[4] = b.Integers({1, 2});
                    }),
              HasSubstr("wanted int32"));
  EXPECT_THAT(Error(gru,
                    [](auto& b, auto&, auto& in) {
                      in[5] = b.Filled({3, 4}, 0.5f);
                    }),
              HasSubstr("wanted [2, 4]"));
  EXPECT_THAT(Error(gru,
                    [](auto& b, auto&, auto& in) {
                      in[6] = b.Filled({2, 4}, 0.5f);
                    }),
              HasSubstr("an LSTM has only"));
}

TEST(InferRecurrentTest, RefusesAttributesThatMeanNothing) {
  const Recurrent lstm = Layer(Kind::kLstm, 4);
  EXPECT_THAT(Error(lstm, [](auto&, auto& layer, auto&) { layer.hidden_size = 0; }),
              HasSubstr("hidden size 0"));
  EXPECT_THAT(Error(lstm, [](auto&, auto& layer, auto&) { layer.functions.pop_back(); }),
              HasSubstr("2 functions, wanted 3"));
  EXPECT_THAT(Error(lstm, [](auto&, auto& layer, auto&) { layer.clip = -1.0f; }),
              HasSubstr("clip -1"));
}

TEST(RecurrentTest, KnowsWhichStatesStayBetweenMinusOneAndOne) {
  EXPECT_TRUE(HasBoundedState(Layer(Kind::kLstm, 1)));
  EXPECT_TRUE(HasBoundedState(Layer(Kind::kGru, 1)));
  Recurrent rnn = Layer(Kind::kRnn, 1);
  rnn.functions = {{Function::kTanh}};
  EXPECT_TRUE(HasBoundedState(rnn));
  rnn.functions = {{Function::kRelu}};
  EXPECT_FALSE(HasBoundedState(rnn));
  Recurrent gru = Layer(Kind::kGru, 1);
  gru.functions[0] = {Function::kTanh};  // a weight outside of [0, 1]
  EXPECT_FALSE(HasBoundedState(gru));
  Recurrent lstm = Layer(Kind::kLstm, 1);
  lstm.functions[1] = {Function::kRelu};  // of the cell, which the output's tanh bounds
  EXPECT_TRUE(HasBoundedState(lstm));
}

}  // namespace
}  // namespace fourfold::graph
