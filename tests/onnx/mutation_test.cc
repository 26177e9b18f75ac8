#include <gtest/gtest.h>

#include <cstdlib>
#include <functional>
#include <random>

#include "server/onnx/export.h"
#include "tests/onnx/model_builder.h"

namespace fourfold::onnx {
namespace {

// A network with convolutions, normalization, quantization and shape arithmetic, as a file.
std::string Seed() {
  ModelBuilder builder;
  builder.Input("x", {1, 2, 6, 6});
  builder.Floats("w", {3, 2, 3, 3}, std::vector<float>(54, 0.1f));
  builder.Floats("b", {3}, {1, 2, 3});
  builder.Floats("ones", {3}, {1, 1, 1});
  builder.Floats("scale", {}, {0.1f});
  builder.Int64s("shape", {1, -1});
  builder.Floats("dense", {48, 4}, std::vector<float>(192, 0.1f));
  AddInts(builder.Node("Conv", {"x", "w", "b"}, {"c"}, "conv"), "kernel_shape", {3, 3});
  builder.Node("BatchNormalization", {"c", "ones", "b", "b", "ones"}, {"n"}, "norm");
  builder.Node("Relu", {"n"}, {"r"}, "relu");
  builder.Node("QuantizeLinear", {"r", "scale"}, {"q"}, "quantize");
  builder.Node("DequantizeLinear", {"q", "scale"}, {"d"}, "dequantize");
  AddInt(builder.Node("Split", {"d"}, {"left", "right"}, "split"), "axis", 3);
  AddInt(builder.Node("Concat", {"right", "left"}, {"joined"}, "concat"), "axis", 3);
  builder.Node("Reshape", {"joined", "shape"}, {"flat"}, "reshape");
  builder.Node("MatMul", {"flat", "dense"}, {"y"}, "dense_layer");
  builder.Node("Softmax", {"y"}, {"p"}, "softmax");
  builder.Output("p");
  return builder.Bytes();
}

// A graph as an attribute, filled by `fill`.
void AddGraph(::onnx::NodeProto& node, const std::string& name,
              const std::function<void(ModelBuilder&)>& fill) {
  ModelBuilder inner;
  fill(inner);
  auto& attribute = *node.add_attribute();
  attribute.set_name(name);
  attribute.set_type(::onnx::AttributeProto::GRAPH);
  *attribute.mutable_g() = inner.graph();
}

// If, Loop and Scan, one in another, whose graphs capture what is around them.
std::string SubgraphSeed() {
  using ::onnx::TensorProto;
  ModelBuilder builder;
  builder.Input("x", {2, 3});
  builder.Input("choice", {}, TensorProto::BOOL);
  builder.Floats("zero", {3}, {0, 0, 0});
  builder.Int64s("count", {3});
  auto& choose = builder.Node("If", {"choice"}, {"chosen"}, "choose");
  AddGraph(choose, "then_branch", [](ModelBuilder& inner) {
    inner.Node("Relu", {"x"}, {"positive"}, "relu");
    inner.Output("positive");
  });
  AddGraph(choose, "else_branch", [](ModelBuilder& inner) {
    inner.Floats("w", {3}, {1, 2, 3});
    inner.Node("Mul", {"x", "w"}, {"weighted"}, "mul");
    inner.Output("weighted");
  });
  auto& loop = builder.Node("Loop", {"count", "", "chosen"}, {"last", "all"}, "loop");
  AddGraph(loop, "body", [](ModelBuilder& inner) {
    inner.Input("i", {}, TensorProto::INT64);
    inner.Input("go", {}, TensorProto::BOOL);
    inner.Input("state", {2, 3});
    inner.Node("Identity", {"go"}, {"on"}, "on");
    inner.Node("Add", {"state", "x"}, {"next"}, "add");
    auto& deeper = inner.Node("If", {"go"}, {"seen"}, "deeper");
    AddGraph(deeper, "then_branch", [](ModelBuilder& innermost) {
      innermost.Node("Abs", {"next"}, {"a"}, "abs");
      innermost.Output("a");
    });
    AddGraph(deeper, "else_branch", [](ModelBuilder& innermost) {
      innermost.Node("Neg", {"state"}, {"n"}, "neg");
      innermost.Output("n");
    });
    for (const char* name : {"on", "next", "seen"}) inner.Output(name);
  });
  auto& scan = builder.Node("Scan", {"zero", "last"}, {"sum", "sums"}, "scan");
  AddInt(scan, "num_scan_inputs", 1);
  AddGraph(scan, "body", [](ModelBuilder& inner) {
    inner.Input("sum_in", {3});
    inner.Input("row", {3});
    inner.Node("Add", {"sum_in", "row"}, {"sum_out"}, "sum");
    inner.Node("Identity", {"sum_out"}, {"shown"}, "show");
    for (const char* name : {"sum_out", "shown"}) inner.Output(name);
  });
  for (const char* name : {"all", "sums"}) builder.Output(name);
  return builder.Bytes();
}

// Cuts, flips, overwrites and duplicates; whatever comes of it is imported or refused. More rounds
// or another file by hand: FOURFOLD_MUTATIONS=2000 FOURFOLD_MUTATION_MODEL=fp32/kws_dscnn.onnx.
void MutateAndImport(const std::string& seed) {
  const char* rounds_text = std::getenv("FOURFOLD_MUTATIONS");
  const int rounds = rounds_text ? std::atoi(rounds_text) : 400;

  std::mt19937 random(20260101);
  const auto below = [&random](size_t end) { return static_cast<size_t>(random() % end); };
  int accepted = 0;
  for (int round = 0; round < rounds; ++round) {
    std::string bytes = seed;
    if (round % 4 == 0) bytes.resize(below(bytes.size()));
    for (size_t i = below(4); i-- > 0 && !bytes.empty();) {
      // Half of the changes near the end or the start, where structure is; weights fill the middle.
      const size_t at = below(2) ? below(bytes.size())
                                 : bytes.size() - 1 - below(std::min<size_t>(bytes.size(), 4000));
      if (below(2))
        bytes[at] = static_cast<char>(bytes[at] ^ (1 << below(8)));
      else
        bytes[at] = static_cast<char>(random());
    }
    if (below(8) == 0 && !bytes.empty())
      bytes.insert(below(bytes.size()), bytes.substr(below(bytes.size()), 64));
    const auto graph = ImportBytes(bytes);
    if (!graph.ok()) {
      EXPECT_NE(graph.status().code(), absl::StatusCode::kInternal) << graph.status();
      continue;
    }
    ++accepted;
    const auto exported = Export(*graph);  // may refuse, may not crash
    EXPECT_NE(exported.status().code(), absl::StatusCode::kInternal) << exported.status();
  }
  ::testing::Test::RecordProperty("accepted", accepted);
}

TEST(MutationTest, BrokenFilesAreRefusedOrImportedButNeverCrash) {
  const char* model = std::getenv("FOURFOLD_MUTATION_MODEL");
  const std::string seed = model ? ReadSharedModel(model) : Seed();
  ASSERT_FALSE(seed.empty());
  ASSERT_TRUE(model || ImportBytes(seed).ok()) << ImportBytes(seed).status();
  MutateAndImport(seed);
}

TEST(MutationTest, BrokenSubgraphsAreRefusedOrImportedButNeverCrash) {
  ASSERT_TRUE(ImportBytes(SubgraphSeed()).ok()) << ImportBytes(SubgraphSeed()).status();
  MutateAndImport(SubgraphSeed());
}

}  // namespace
}  // namespace fourfold::onnx
