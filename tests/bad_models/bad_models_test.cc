// Models that are to be refused: what each must be refused with is in its first lines. They are in
// tests/data/bad_models, a file each; what text cannot say is made here.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "onnx/onnx.pb.h"
#include "server/base/file.h"
#include "tests/bad_models/refuse_model.h"
#include "tests/bad_models/text_model.h"
#include "tests/testing/temporary_directory.h"

namespace fourfold::testing {
namespace {

#if defined(__SANITIZE_ADDRESS__)
constexpr double kCpuSecondsMax = 10;
constexpr int64_t kResidentMibMax = 2000;
#else
constexpr double kCpuSecondsMax = 1;
constexpr int64_t kResidentMibMax = 500;
#endif
constexpr size_t kMessageBytesMax = 8192;

const std::string kFolder = FOURFOLD_TEST_DATA "/bad_models/";

// A line "# want: CODE, names NAME" or "# want: CODE, says TEXT".
struct Wanted {
  std::string code;
  std::string name;  // of a node, a value or an input, in quotes or in front of its operator
  std::string text;
};

std::optional<Wanted> WantedOf(const std::string& model_text) {
  for (absl::string_view rest : absl::StrSplit(model_text, '\n')) {
    if (!absl::ConsumePrefix(&rest, "# want: ")) continue;
    const std::pair<std::string, std::string> parts =
        absl::StrSplit(rest, absl::MaxSplits(", ", 1));
    Wanted wanted{parts.first, "", ""};
    rest = parts.second;
    if (absl::ConsumePrefix(&rest, "names ")) {
      wanted.name = std::string(rest);
    } else if (absl::ConsumePrefix(&rest, "says ")) {
      wanted.text = std::string(rest);
    }
    if (wanted.name.empty() == wanted.text.empty()) return std::nullopt;
    return wanted;
  }
  return std::nullopt;
}

bool Names(const std::string& message, const std::string& name) {
  for (const std::string& form :
       {absl::StrCat("\"", name, "\""), absl::StrCat("'", name, "'"), absl::StrCat(name, " (")}) {
    if (absl::StrContains(message, form)) return true;
  }
  return false;
}

bool IsPrintableAscii(const std::string& text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~'; });
}

void ExpectRefused(const std::string& bytes, const Wanted& wanted) {
  const Refusal refusal = LoadModel(bytes);
  ASSERT_EQ(refusal.crash, "") << "it crashed";
  const std::string message(refusal.status.message());
  EXPECT_EQ(absl::StatusCodeToString(refusal.status.code()), wanted.code) << refusal.status;
  if (!wanted.name.empty()) {
    EXPECT_TRUE(Names(message, wanted.name)) << message << "\ndoes not name " << wanted.name;
  }
  EXPECT_THAT(message, ::testing::HasSubstr(wanted.text));
  EXPECT_LE(message.size(), kMessageBytesMax);
  EXPECT_TRUE(IsPrintableAscii(message)) << message;
  EXPECT_LE(refusal.cpu_seconds, kCpuSecondsMax);
  EXPECT_LE(refusal.resident_mib, kResidentMibMax);
}

// fourfold-quantize's exit code and what it says on standard error.
struct Ended {
  int code = -1;
  std::string err;
};

Ended Quantize(const std::string& bytes) {
  const TemporaryDirectory directory;
  const std::string model = directory.Write("bad.onnx", bytes);
  const std::string err = directory.path() + "/stderr";
  const std::string command =
      absl::StrCat(FOURFOLD_BIN_DIR "/fourfold-quantize ", model,
                   " --variants=fp32 --measure_seconds=0 --out=", directory.path(), "/out >",
                   directory.path(), "/stdout 2>", err);
  const int status = std::system(command.c_str());
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, base::ReadFile(err).value_or("")};
}

// Both ways to load a model, and both say the same.
void ExpectQuantizerRefuses(const std::string& bytes) {
  const absl::Status status = LoadModel(bytes).status;
  const Ended ended = Quantize(bytes);
  EXPECT_EQ(ended.code, 1) << ended.err;
  EXPECT_EQ(ended.err, absl::StrCat("fourfold-quantize: ", absl::StatusCodeToString(status.code()),
                                    ": ", std::string(status.message()), "\n"));
}

// ---- Models as text.

class BadModelTest : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    const auto text = base::ReadFile(kFolder + GetParam() + ".txtpb");
    ASSERT_TRUE(text.ok()) << text.status();
    const std::optional<Wanted> wanted = WantedOf(*text);
    ASSERT_TRUE(wanted.has_value()) << "no line \"# want: CODE, names NAME\"";
    wanted_ = *wanted;
    const auto bytes = ModelFromText(*text);
    ASSERT_TRUE(bytes.ok()) << bytes.status();
    bytes_ = *bytes;
  }

  Wanted wanted_;
  std::string bytes_;
};

TEST_P(BadModelTest, IsRefusedWithTheNameOfWhatIsWrong) { ExpectRefused(bytes_, wanted_); }

TEST_P(BadModelTest, TheQuantizerSaysTheSame) { ExpectQuantizerRefuses(bytes_); }

std::vector<std::string> TextModels() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(kFolder)) {
    if (entry.path().extension() == ".txtpb") names.push_back(entry.path().stem().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

INSTANTIATE_TEST_SUITE_P(bad_models, BadModelTest, ::testing::ValuesIn(TextModels()),
                         [](const auto& info) { return info.param; });

TEST(BadModelsTest, bad_models_AreAtLeastSixty) { EXPECT_GE(TextModels().size(), 60u); }

// ---- Models that no text says.

// y = Relu(x), by a node with that name.
::onnx::ModelProto GoodModel(const std::string& node_name = "relu") {
  ::onnx::ModelProto model;
  model.set_ir_version(8);
  model.add_opset_import()->set_version(17);
  auto& input = *model.mutable_graph()->add_input();
  input.set_name("x");
  auto& type = *input.mutable_type()->mutable_tensor_type();
  type.set_elem_type(::onnx::TensorProto::FLOAT);
  type.mutable_shape()->add_dim()->set_dim_value(2);
  auto& node = *model.mutable_graph()->add_node();
  node.set_op_type("Relu");
  node.set_name(node_name);
  node.add_input("x");
  node.add_output("y");
  model.mutable_graph()->add_output()->set_name("y");
  return model;
}

TEST(BadModelsTest, bad_models_GoodModelIsNotRefused) {
  const Refusal refusal = LoadModel(GoodModel().SerializeAsString());
  EXPECT_EQ(refusal.crash, "");
  EXPECT_TRUE(refusal.status.ok()) << refusal.status;
}

std::string NestedIfs(int depth) {
  // From the innermost branch outwards, as bytes: protobuf's own messages would recurse.
  std::string graph = [] {
    ::onnx::GraphProto innermost;
    innermost.add_output()->set_name("y");
    return innermost.SerializeAsString();
  }();
  for (int i = 0; i < depth; ++i) {
    ::onnx::NodeProto node;
    node.set_op_type("If");
    node.set_name("deep");
    node.add_input("x");
    node.add_output("y");
    auto& branch = *node.add_attribute();
    branch.set_name("then_branch");
    branch.set_type(::onnx::AttributeProto::GRAPH);
    // Field 6 of AttributeProto is the graph, field 1 of GraphProto a node.
    const auto field = [](int number, const std::string& content) {
      std::string bytes(1, static_cast<char>(number << 3 | 2));
      size_t size = content.size();
      for (; size >= 128; size >>= 7) bytes.push_back(static_cast<char>(size | 128));
      bytes.push_back(static_cast<char>(size));
      return bytes + content;
    };
    const std::string attribute = branch.SerializeAsString() + field(6, graph);
    node.clear_attribute();
    graph = field(1, node.SerializeAsString() + field(5, attribute));
  }
  ::onnx::ModelProto model = GoodModel();
  model.clear_graph();
  std::string bytes = model.SerializeAsString();
  bytes.push_back(static_cast<char>(7 << 3 | 2));  // field 7 of ModelProto
  size_t size = graph.size();
  for (; size >= 128; size >>= 7) bytes.push_back(static_cast<char>(size | 128));
  bytes.push_back(static_cast<char>(size));
  return bytes + graph;
}

// x joined with itself 62 times: 2^63 elements.
std::string DoublingChain() {
  ::onnx::ModelProto model = GoodModel();
  for (int i = 0; i < 62; ++i) {
    auto& node = *model.mutable_graph()->add_node();
    node.set_op_type("Concat");
    node.set_name(absl::StrCat("double_", i));
    const std::string input = i == 0 ? "y" : absl::StrCat("d", i - 1);
    node.add_input(input);
    node.add_input(input);
    node.add_output(absl::StrCat("d", i));
    auto& axis = *node.add_attribute();
    axis.set_name("axis");
    axis.set_type(::onnx::AttributeProto::INT);
    axis.set_i(0);
  }
  model.mutable_graph()->mutable_output(0)->set_name("d61");
  return model.SerializeAsString();
}

// Thousands of kinds of operators that nobody has.
std::string ManyUnknownOperators() {
  ::onnx::ModelProto model = GoodModel();
  for (int i = 0; i < 5000; ++i) {
    auto& node = *model.mutable_graph()->add_node();
    node.set_op_type(absl::StrCat("Frobnicate", i));
    node.set_name(absl::StrCat("n", i));
    node.add_input("x");
    node.add_output(absl::StrCat("o", i));
  }
  return model.SerializeAsString();
}

std::string Renamed(const std::function<void(::onnx::ModelProto&)>& change) {
  ::onnx::ModelProto model = GoodModel();
  change(model);
  return model.SerializeAsString();
}

const std::string kMegabyte(1 << 20, 'n');

struct BinaryCase {
  std::string name;
  std::function<std::string()> bytes;
  Wanted wanted;
};

const std::vector<BinaryCase>& BinaryCases() {
  static const auto* const cases = new std::vector<BinaryCase>{
      {"empty_file", [] { return std::string(); }, {"INVALID_ARGUMENT", "", "empty"}},
      {"rubbish",
       [] { return std::string("GIF89a\x01\xff\xfe\xfd and so on"); },
       {"INVALID_ARGUMENT", "", "not a valid ONNX model"}},
      {"zeros",
       [] { return std::string(4096, '\0'); },
       {"INVALID_ARGUMENT", "", "not a valid ONNX model"}},
      {"cut_in_half",
       [] {
         const std::string bytes = GoodModel().SerializeAsString();
         return bytes.substr(0, bytes.size() / 2);
       },
       {"INVALID_ARGUMENT", "", "not a valid ONNX model"}},
      {"text_instead_of_binary",
       [] { return base::ReadFile(kFolder + "graph_cycle.txtpb").value_or(""); },
       {"INVALID_ARGUMENT", "", "not a valid ONNX model"}},
      {"subgraphs_1000_deep",
       [] { return NestedIfs(1000); },
       {"INVALID_ARGUMENT", "", "nest deeper"}},
      {"a_message_that_says_it_is_longer_than_the_file",
       [] { return std::string("\x3a\xff\xff\xff\xff\x07"); },
       {"INVALID_ARGUMENT", "", "not a valid ONNX model"}},
      {"doubling_chain", DoublingChain, {"INVALID_ARGUMENT", "", "double_"}},
      {"many_unknown_operators", ManyUnknownOperators, {"UNIMPLEMENTED", "n0", ""}},
      {"operator_name_of_a_megabyte",
       [] {
         return Renamed(
             [](auto& m) { m.mutable_graph()->mutable_node(0)->set_op_type(kMegabyte); });
       },
       {"UNIMPLEMENTED", "relu", ""}},
      {"domain_name_of_a_megabyte",
       [] {
         return Renamed([](auto& m) { m.mutable_graph()->mutable_node(0)->set_domain(kMegabyte); });
       },
       {"UNIMPLEMENTED", "relu", ""}},
      {"node_name_of_a_megabyte",
       [] {
         return Renamed([](auto& m) {
           m.mutable_graph()->mutable_node(0)->set_name(kMegabyte);
           m.mutable_graph()->mutable_node(0)->add_input("x");
         });
       },
       {"INVALID_ARGUMENT", "", "nnnn"}},
      {"node_name_of_a_megabyte_with_wrong_shapes",
       [] {
         return Renamed([](auto& m) {
           auto& node = *m.mutable_graph()->mutable_node(0);
           node.set_name(kMegabyte);
           node.set_op_type("MatMul");
           node.add_input(kMegabyte + "w");
           auto& weights = *m.mutable_graph()->add_initializer();
           weights.set_name(kMegabyte + "w");
           weights.set_data_type(::onnx::TensorProto::FLOAT);
           weights.add_dims(3);
           for (int i = 0; i < 3; ++i) weights.add_float_data(1);
         });
       },
       {"INVALID_ARGUMENT", "", "nnnn"}},
      {"input_name_of_a_megabyte_that_nothing_writes",
       [] {
         return Renamed(
             [](auto& m) { m.mutable_graph()->mutable_node(0)->set_input(0, kMegabyte); });
       },
       {"INVALID_ARGUMENT", "relu", ""}},
      {"attribute_name_of_a_megabyte",
       [] {
         return Renamed([](auto& m) {
           m.mutable_graph()->mutable_node(0)->add_attribute()->set_name(kMegabyte);
         });
       },
       {"UNIMPLEMENTED", "relu", ""}},
      {"output_name_of_control_characters",
       [] {
         return Renamed([](auto& m) {
           m.mutable_graph()->mutable_output(0)->set_name(
               std::string("\n\x1b[2J\0\x7f\xc3\x28", 9));
         });
       },
       {"INVALID_ARGUMENT", "", "\\n\\033[2J\\000\\177\\303("}},
      {"more_nodes_than_allowed",
       [] {
         return Renamed([](auto& m) {
           for (int i = 0; i < 100'000; ++i) m.mutable_graph()->add_node();
         });
       },
       {"INVALID_ARGUMENT", "", "more than 100000 nodes"}},
      {"more_values_than_allowed",
       [] {
         return Renamed([](auto& m) {
           for (int i = 0; i < 400'000; ++i) m.mutable_graph()->mutable_node(0)->add_output("");
         });
       },
       {"INVALID_ARGUMENT", "", "more than 400000 values"}},
  };
  return *cases;
}

class BinaryModelTest : public ::testing::TestWithParam<size_t> {};

TEST_P(BinaryModelTest, IsRefusedWithTheNameOfWhatIsWrong) {
  const BinaryCase& test = BinaryCases()[GetParam()];
  ExpectRefused(test.bytes(), test.wanted);
}

TEST_P(BinaryModelTest, TheQuantizerSaysTheSame) {
  ExpectQuantizerRefuses(BinaryCases()[GetParam()].bytes());
}

INSTANTIATE_TEST_SUITE_P(bad_models, BinaryModelTest,
                         ::testing::Range<size_t>(0, BinaryCases().size()),
                         [](const auto& info) { return BinaryCases()[info.param].name; });

}  // namespace
}  // namespace fourfold::testing
