// Operators that select, rearrange and repeat elements, and sequences: what their forms become.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "server/onnx/export.h"
#include "tests/onnx/model_builder.h"

namespace fourfold::onnx {
namespace {

using graph::DataType;
using graph::Graph;
using graph::Node;
using ::testing::HasSubstr;

constexpr int32_t kInt64 = ::onnx::TensorProto::INT64;

Graph Imported(const ModelBuilder& model) {
  auto graph = model.Import();
  EXPECT_TRUE(graph.ok()) << graph.status();
  return graph.ok() ? *std::move(graph) : Graph();
}

// The nodes of that operation, in order.
template <typename Op>
std::vector<Op> All(const Graph& graph) {
  std::vector<Op> found;
  for (const Node& node : graph.nodes) {
    if (const auto* op = node.as<Op>()) found.push_back(*op);
  }
  return found;
}

graph::Shape OutputShape(const Graph& graph, size_t i = 0) {
  return graph.value(graph.outputs[i]).shape.value_or(graph::Shape{-99});
}

TEST(ImportMovementTest, TopKTookItsKFromAnAttributeOnce) {
  ModelBuilder old(9);
  old.Input("x", {2, 5});
  AddInt(old.Node("TopK", {"x"}, {"values", "indices"}), "k", 3);
  old.Output("values");
  old.Output("indices");
  const Graph graph = Imported(old);
  EXPECT_EQ(OutputShape(graph), (graph::Shape{2, 3}));
  EXPECT_EQ(graph.value(graph.outputs[1]).type, DataType::kInt64);
  EXPECT_TRUE(All<graph::TopK>(graph)[0].largest);

  ModelBuilder with_input(10);
  with_input.Input("x", {2, 5});
  with_input.Int64s("k", {4});
  AddInt(with_input.Node("TopK", {"x", "k"}, {"", "indices"}), "axis", 1);
  with_input.Output("indices");
  EXPECT_EQ(OutputShape(Imported(with_input)), (graph::Shape{2, 4}));

  ModelBuilder smallest(11);
  smallest.Input("x", {2, 5});
  smallest.Int64s("k", {2});
  ::onnx::NodeProto& node = smallest.Node("TopK", {"x", "k"}, {"values"});
  AddInt(node, "axis", 0);
  AddInt(node, "largest", 0);
  AddInt(node, "sorted", 0);
  smallest.Output("values");
  const graph::TopK top_k = All<graph::TopK>(Imported(smallest))[0];
  EXPECT_EQ(top_k.axis, 0);
  EXPECT_FALSE(top_k.largest);
  EXPECT_FALSE(top_k.sorted);
}

absl::StatusOr<Graph> Scattered(int64_t opset, const std::string& reduction) {
  ModelBuilder b(opset);
  b.Input("x", {4});
  b.Input("ids", {2}, kInt64);
  b.Input("updates", {2});
  AddString(b.Node("ScatterElements", {"x", "ids", "updates"}, {"y"}), "reduction", reduction);
  b.Output("y");
  return b.Import();
}

TEST(ImportMovementTest, ReductionsOfScatterCameInTwoOpsets) {
  EXPECT_EQ(Scattered(13, "add").status().code(), absl::StatusCode::kUnimplemented);
  EXPECT_EQ(Scattered(16, "max").status().code(), absl::StatusCode::kUnimplemented);
  for (const auto& [opset, name, reduction] :
       {std::tuple(16, "none", graph::ScatterReduction::kNone),
        std::tuple(16, "add", graph::ScatterReduction::kAdd),
        std::tuple(16, "mul", graph::ScatterReduction::kMul),
        std::tuple(18, "max", graph::ScatterReduction::kMax),
        std::tuple(18, "min", graph::ScatterReduction::kMin)}) {
    const auto graph = Scattered(opset, name);
    ASSERT_TRUE(graph.ok()) << graph.status();
    EXPECT_EQ(All<graph::ScatterElements>(*graph)[0].reduction, reduction);
    const auto file = Export(*graph);
    ASSERT_TRUE(file.ok()) << file.status();
    ::onnx::ModelProto model;
    ASSERT_TRUE(model.ParseFromString(*file));
    EXPECT_EQ(model.opset_import(0).version(),
              reduction == graph::ScatterReduction::kNone ? 13 : opset);
  }
}

TEST(ImportMovementTest, TheMaskOfDropoutKeepsEverything) {
  ModelBuilder b(13);
  b.Input("x", {2, 3});
  b.Node("Dropout", {"x"}, {"y", "mask"});
  b.Output("y");
  b.Output("mask");
  const Graph graph = Imported(b);
  EXPECT_EQ(graph.value(graph.outputs[1]).type, DataType::kBool);
  EXPECT_EQ(OutputShape(graph, 1), (graph::Shape{2, 3}));
  const graph::TensorPtr& mask = graph.value(graph.outputs[1]).constant;
  ASSERT_NE(mask, nullptr);  // where the shape is known
  EXPECT_EQ(mask->ToInt64(), std::vector<int64_t>(6, 1));
}

TEST(ImportMovementTest, SizesOfSplitMayBeComputed) {
  ModelBuilder b(13);
  b.Input("x", {6, 2});
  b.Input("sizes", {2}, kInt64);
  b.Node("Split", {"x", "sizes"}, {"a", "b"});
  b.Output("a");
  b.Output("b");
  const Graph graph = Imported(b);
  EXPECT_EQ(OutputShape(graph, 0), (graph::Shape{graph::kUnknownDim, 2}));
  EXPECT_EQ(OutputShape(graph, 1), (graph::Shape{graph::kUnknownDim, 2}));
}

TEST(ImportMovementTest, CenterCropPadPadsAndCuts) {
  ModelBuilder b(18);
  b.Input("x", {10, 7, 3});
  b.Int64s("wanted", {5, 10});
  AddInts(b.Node("CenterCropPad", {"x", "wanted"}, {"y"}), "axes", {0, -2});
  b.Output("y");
  EXPECT_EQ(OutputShape(Imported(b)), (graph::Shape{5, 10, 3}));
}

// Importing what Export writes gives the same graph.
void ExpectRoundTrip(ModelBuilder& model, int64_t opset) {
  const Graph graph = Imported(model);
  const auto file = Export(graph);
  ASSERT_TRUE(file.ok()) << file.status();
  ::onnx::ModelProto proto;
  ASSERT_TRUE(proto.ParseFromString(*file));
  EXPECT_EQ(proto.opset_import(0).version(), opset);
  const auto again = ImportBytes(*file);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(Structure(*again), Structure(graph));
}

// A model of one node on x [2, 4, 6, 8], whose attributes `set` adds.
void ExpectNodeRoundTrip(const std::string& op_type, const std::vector<std::string>& inputs,
                         const std::function<void(::onnx::NodeProto&)>& set, int64_t from,
                         int64_t to, int outputs = 1) {
  SCOPED_TRACE(op_type);
  ModelBuilder b(from);
  b.Input("x", {2, 4, 6, 8});
  b.Input("ids", {2, 4, 6, 8}, kInt64);
  b.Input("positions", {2, 1}, kInt64);
  b.Input("lengths", {4}, kInt64);
  b.Input("flags", {8}, ::onnx::TensorProto::BOOL);
  b.Input("columns", {2, 12, 16});
  b.Int64s("one", {1});
  b.Int64s("pads", {1, 0, 2, 3});
  b.Int64s("axes", {0, 3});
  b.Int64s("repeats", {1, 2, 1, 3});
  b.Int64s("image", {5, 6});
  b.Int64s("block", {2, 3});
  b.Floats("offon", {2}, {0, 1});
  std::vector<std::string> names;
  for (int i = 0; i < outputs; ++i) names.push_back("y" + std::to_string(i));
  set(b.Node(op_type, inputs, names));
  for (const std::string& name : names) b.Output(name);
  ExpectRoundTrip(b, to);
}

TEST(ExportMovementTest, EachOperatorComesBackAsItWas) {
  const auto nothing = [](::onnx::NodeProto&) {};
  const auto axis = [](int64_t value) {
    return [value](::onnx::NodeProto& node) { AddInt(node, "axis", value); };
  };
  ExpectNodeRoundTrip("GatherElements", {"x", "ids"}, axis(2), 13, 13);
  ExpectNodeRoundTrip(
      "GatherND", {"x", "positions"}, [](auto& node) { AddInt(node, "batch_dims", 1); }, 13, 13);
  ExpectNodeRoundTrip("ScatterElements", {"x", "ids", "x"}, axis(-1), 13, 13);
  ExpectNodeRoundTrip("TopK", {"x", "one"}, axis(1), 13, 13, 2);
  ExpectNodeRoundTrip("NonZero", {"x"}, nothing, 13, 13);
  ExpectNodeRoundTrip("Compress", {"x", "flags"}, axis(3), 13, 13);
  ExpectNodeRoundTrip("Compress", {"x", "flags"}, nothing, 13, 13);
  ExpectNodeRoundTrip("Unique", {"x"}, axis(1), 13, 13, 4);
  ExpectNodeRoundTrip(
      "Unique", {"x"}, [](auto& node) { AddInt(node, "sorted", 0); }, 13, 13, 4);
  ExpectNodeRoundTrip("Tile", {"x", "repeats"}, nothing, 13, 13);
  ExpectNodeRoundTrip("Trilu", {"x", "one"}, nothing, 14, 14);
  ExpectNodeRoundTrip(
      "Trilu", {"x"}, [](auto& node) { AddInt(node, "upper", 0); }, 22, 14);
  ExpectNodeRoundTrip("ReverseSequence", {"x", "lengths"}, nothing, 13, 13);
  ExpectNodeRoundTrip(
      "DepthToSpace", {"x"},
      [](auto& node) {
        AddInt(node, "blocksize", 2);
        AddString(node, "mode", "CRD");
      },
      13, 13);
  ExpectNodeRoundTrip(
      "SpaceToDepth", {"x"}, [](auto& node) { AddInt(node, "blocksize", 2); }, 13, 13);
  ExpectNodeRoundTrip("Size", {"x"}, nothing, 13, 13);
  ExpectNodeRoundTrip("Pad", {"x", "pads", "", "axes"}, nothing, 18, 18);
  ExpectNodeRoundTrip(
      "Pad", {"x", "pads", "", "axes"}, [](auto& node) { AddString(node, "mode", "wrap"); }, 19,
      19);
  ExpectNodeRoundTrip(
      "Col2Im", {"columns", "image", "block"},
      [](auto& node) {
        AddInts(node, "dilations", {1, 1});
      },
      18, 18);
}

// ---- Sequences

TEST(ImportSequenceTest, PositionsAreResolvedToTensors) {
  ModelBuilder b(13);
  b.Input("x", {3});
  b.Input("y", {4});
  b.Input("z", {5});
  b.Int64s("last", {-1});
  b.Int64s("first", {0});
  b.Node("SequenceConstruct", {"x", "y"}, {"two"});
  b.Node("SequenceInsert", {"two", "z", "first"}, {"three"});  // z x y
  b.Node("SequenceErase", {"three", "last"}, {"rest"});        // z x
  b.Node("Identity", {"rest"}, {"same"});
  b.Node("SequenceAt", {"same", "first"}, {"a"});
  b.Node("SequenceAt", {"three", "last"}, {"b"});
  b.Node("SequenceLength", {"same"}, {"length"});
  b.Output("a");
  b.Output("b");
  b.Output("length");
  const Graph graph = Imported(b);
  EXPECT_EQ(OutputShape(graph, 0), graph::Shape{5});
  EXPECT_EQ(OutputShape(graph, 1), graph::Shape{4});
  EXPECT_EQ(graph.value(graph.outputs[2]).constant->ToInt64(), std::vector<int64_t>{2});
}

TEST(ImportSequenceTest, SplittingGivesSlicesOfKnownNumber) {
  ModelBuilder b(13);
  b.Input("x", {7, 2});
  b.Node("Relu", {"x"}, {"r"});  // its shape comes from inference
  b.Int64s("where", {2});
  b.Node("Squeeze", {"where"}, {"two"});
  b.Int64s("sizes", {1, 6});
  b.Node("SplitToSequence", {"r", "two"}, {"pairs"});  // 2 2 2 1
  b.Node("SplitToSequence", {"x", "sizes"}, {"uneven"});
  ::onnx::NodeProto& rows = b.Node("SplitToSequence", {"x"}, {"rows"});
  AddInt(rows, "keepdims", 0);
  b.Int64s("third", {3});
  b.Node("SequenceAt", {"pairs", "third"}, {"pair"});
  b.Node("SequenceAt", {"uneven", "one"}, {"six"});
  b.Int64s("one", {1});
  AddInt(b.Node("ConcatFromSequence", {"pairs"}, {"joined"}), "axis", 0);
  ::onnx::NodeProto& stack = b.Node("ConcatFromSequence", {"rows"}, {"stacked"});
  AddInt(stack, "axis", -1);
  AddInt(stack, "new_axis", 1);
  for (const char* name : {"pair", "six", "joined", "stacked"}) b.Output(name);
  const Graph graph = Imported(b);
  EXPECT_EQ(OutputShape(graph, 0), (graph::Shape{1, 2}));
  EXPECT_EQ(OutputShape(graph, 1), (graph::Shape{6, 2}));
  EXPECT_EQ(OutputShape(graph, 2), (graph::Shape{7, 2}));
  EXPECT_EQ(OutputShape(graph, 3), (graph::Shape{2, 7}));
}

absl::Status SequenceError(const std::function<void(ModelBuilder&)>& build,
                           const ImportLimits& limits = {}) {
  ModelBuilder b(13);
  b.Input("x", {graph::kUnknownDim, 2});
  b.Input("i", {}, kInt64);
  b.Int64s("zero", {0});
  b.Int64s("two", {2});
  build(b);
  b.Output("out");
  return b.Import(limits).status();
}

TEST(ImportSequenceTest, WhatOnlyACallTellsIsUnsupported) {
  const auto unsupported = [](const std::function<void(ModelBuilder&)>& build, const char* what) {
    const absl::Status status = SequenceError(build);
    EXPECT_EQ(status.code(), absl::StatusCode::kUnimplemented) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(what));
  };
  unsupported(
      [](ModelBuilder& b) {
        b.Node("SequenceConstruct", {"x"}, {"s"});
        b.Node("SequenceAt", {"s", "i"}, {"out"});
      },
      "a position that depends on the data");
  unsupported(
      [](ModelBuilder& b) {
        b.Node("SplitToSequence", {"x"}, {"s"});
        b.Node("SequenceAt", {"s", "zero"}, {"out"});
      },
      "a number of parts that only a call will tell");
  unsupported([](ModelBuilder& b) { b.Node("SequenceConstruct", {"x"}, {"out"}); },
              "is a sequence; only tensors are supported");
  unsupported(
      [](ModelBuilder& b) {
        b.Node("SequenceConstruct", {"x"}, {"s"});
        b.Node("Relu", {"s"}, {"out"});
      },
      "a sequence as input 0");
}

TEST(ImportSequenceTest, ContradictionsAreInvalid) {
  const auto invalid = [](const std::function<void(ModelBuilder&)>& build, const char* what) {
    const absl::Status status = SequenceError(build);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(what));
  };
  invalid(
      [](ModelBuilder& b) {
        b.Node("SequenceConstruct", {"x"}, {"s"});
        b.Node("SequenceAt", {"s", "two"}, {"out"});
      },
      "position 2 is outside of 0 to 0");
  invalid(
      [](ModelBuilder& b) {
        b.Node("SequenceAt", {"x", "zero"}, {"out"});
      },
      "input 0 is a tensor, a sequence is wanted");
  invalid(
      [](ModelBuilder& b) {
        b.Node("SequenceEmpty", {}, {"s"});
        AddInt(b.Node("ConcatFromSequence", {"s"}, {"out"}), "axis", 0);
      },
      "the sequence is empty");
  invalid(
      [](ModelBuilder& b) {
        b.Node("SequenceEmpty", {}, {"s"});
        b.Node("SequenceErase", {"s"}, {"t"});
        b.Node("SequenceLength", {"t"}, {"out"});
      },
      "the sequence is empty");
}

TEST(ImportSequenceTest, SequencesTogetherHoldAsManyTensorsAsAllowed) {
  const auto build = [](ModelBuilder& b) {
    b.Node("SequenceConstruct", std::vector<std::string>(11, "x"), {"s"});
    b.Node("SequenceAt", {"s", "zero"}, {"out"});
  };
  ImportLimits limits;
  limits.values = 11;
  EXPECT_TRUE(SequenceError(build, limits).ok()) << SequenceError(build, limits);
  limits.values = 10;
  EXPECT_THAT(std::string(SequenceError(build, limits).message()), HasSubstr("more than 10"));
}

}  // namespace
}  // namespace fourfold::onnx
