#include "server/onnx/external_data.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>

#include "absl/strings/str_cat.h"
#include "server/graph/contents.h"
#include "server/onnx/export.h"
#include "tests/onnx/model_builder.h"

namespace fourfold::onnx {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Entries = std::vector<std::pair<std::string, std::string>>;

// Files in memory that count how often they were opened.
class FakeFiles final : public ExternalData {
 public:
  std::byte* Add(const std::string& name, size_t bytes) {
    auto& file = files_[name] = std::make_shared<std::vector<std::byte>>(bytes);
    return file->data();
  }
  absl::StatusOr<ExternalFile> Open(const std::string& location) override {
    ++opened;
    const auto file = files_.find(location);
    if (file == files_.end()) return absl::InvalidArgumentError("no such file");
    return ExternalFile{file->second, *file->second};
  }
  int opened = 0;

 private:
  std::map<std::string, std::shared_ptr<std::vector<std::byte>>> files_;
};

void KeepOutside(::onnx::TensorProto& tensor, const Entries& entries) {
  tensor.set_data_location(::onnx::TensorProto::EXTERNAL);
  for (const auto& [key, value] : entries) {
    auto& entry = *tensor.add_external_data();
    entry.set_key(key);
    entry.set_value(value);
  }
}

// x [3] + each of the initializers (float [3] in external data) -> y
ModelBuilder SumModel(const std::vector<Entries>& places) {
  ModelBuilder builder;
  builder.Input("x", {3});
  std::string sum = "x";
  for (size_t i = 0; i < places.size(); ++i) {
    const std::string weights = absl::StrCat("w", i);
    const std::string next = i + 1 == places.size() ? "y" : absl::StrCat("s", i);
    builder.Floats(weights, {3}, {});
    KeepOutside(*builder.graph().mutable_initializer(static_cast<int>(i)), places[i]);
    builder.Node("Add", {sum, weights}, {next});
    sum = next;
  }
  builder.Output("y");
  return builder;
}

Entries At(int64_t offset, int64_t length) {
  return {
      {"location", "w.bin"}, {"offset", absl::StrCat(offset)}, {"length", absl::StrCat(length)}};
}

void Put(std::byte* at, const std::vector<float>& values) {
  std::memcpy(at, values.data(), values.size() * sizeof(float));
}

TEST(ExternalDataTest, ConstantsPointIntoTheFile) {
  FakeFiles files;
  std::byte* const bytes = files.Add("w.bin", 36);
  Put(bytes, {1, 2, 3, 4, 5, 6, 7, 8, 9});
  const auto graph = SumModel({At(24, 12), At(0, 12)}).Import({}, &files);
  ASSERT_TRUE(graph.ok()) << graph.status();
  EXPECT_THAT(ConstantFloats(*graph, graph->nodes[0], 1), ElementsAre(7, 8, 9));
  EXPECT_THAT(ConstantFloats(*graph, graph->nodes[1], 1), ElementsAre(1, 2, 3));
  EXPECT_EQ(graph->ConstantInput(graph->nodes[0], 1)->data(), bytes + 24);
  EXPECT_EQ(files.opened, 1);
}

TEST(ExternalDataTest, FileLivesAsLongAsTheGraph) {
  auto files = std::make_unique<FakeFiles>();
  Put(files->Add("w.bin", 12), {1, 2, 3});
  const auto graph = SumModel({At(0, 12)}).Import({}, files.get());
  files.reset();
  ASSERT_TRUE(graph.ok()) << graph.status();
  EXPECT_THAT(ConstantFloats(*graph, graph->nodes[0], 1), ElementsAre(1, 2, 3));
}

TEST(ExternalDataTest, OffsetAndLengthMayBeAbsentAndOtherKeysMeanNothing) {
  FakeFiles files;
  Put(files.Add("w.bin", 16), {1, 2, 3, 4});
  const auto graph =
      SumModel({{{"location", "w.bin"}, {"checksum", "of nothing"}}}).Import({}, &files);
  ASSERT_TRUE(graph.ok()) << graph.status();
  EXPECT_THAT(ConstantFloats(*graph, graph->nodes[0], 1), ElementsAre(1, 2, 3));
}

TEST(ExternalDataTest, TensorThatIsNotAlignedIsCopied) {
  FakeFiles files;
  std::byte* const bytes = files.Add("w.bin", 13);
  Put(bytes + 1, {1, 2, 3});
  const auto graph = SumModel({At(1, 12)}).Import({}, &files);
  ASSERT_TRUE(graph.ok()) << graph.status();
  EXPECT_THAT(ConstantFloats(*graph, graph->nodes[0], 1), ElementsAre(1, 2, 3));
  EXPECT_EQ(
      reinterpret_cast<uintptr_t>(graph->ConstantInput(graph->nodes[0], 1)->data()) % sizeof(float),
      0u);
}

TEST(ExternalDataTest, BooleansBecomeZeroAndOne) {
  FakeFiles files;
  std::byte* const bytes = files.Add("w.bin", 3);
  bytes[1] = std::byte{200};
  ModelBuilder builder;
  auto& node = builder.Node("Constant", {}, {"y"});
  auto& attribute = *node.add_attribute();
  attribute.set_name("value");
  attribute.set_type(::onnx::AttributeProto::TENSOR);
  attribute.mutable_t()->set_data_type(::onnx::TensorProto::BOOL);
  attribute.mutable_t()->add_dims(3);
  KeepOutside(*attribute.mutable_t(), At(0, 3));
  builder.Output("y");
  const auto graph = builder.Import({}, &files);
  ASSERT_TRUE(graph.ok()) << graph.status();
  EXPECT_THAT(graph->value(graph->outputs[0]).constant->ToInt64(), ElementsAre(0, 1, 0));
}

// c bool, x [3] -> y = x + one or the other initializer of the branches, which lie at these places.
ModelBuilder BranchModel(const Entries& yes, const Entries& no) {
  ModelBuilder builder;
  builder.Input("c", {}, ::onnx::TensorProto::BOOL);
  builder.Input("x", {3});
  auto& node = builder.Node("If", {"c"}, {"y"}, "choice");
  for (const auto& [name, place] :
       {std::pair("then_branch", &yes), std::pair("else_branch", &no)}) {
    auto& attribute = *node.add_attribute();
    attribute.set_name(name);
    attribute.set_type(::onnx::AttributeProto::GRAPH);
    ::onnx::GraphProto& branch = *attribute.mutable_g();
    branch.set_name(name);
    const std::string weights = absl::StrCat(name, "_w");
    const std::string result = absl::StrCat(name, "_y");
    auto& tensor = *branch.add_initializer();
    tensor.set_name(weights);
    tensor.set_data_type(::onnx::TensorProto::FLOAT);
    tensor.add_dims(3);
    KeepOutside(tensor, *place);
    auto& sum = *branch.add_node();
    sum.set_op_type("Add");
    sum.add_input(weights);
    sum.add_input("x");
    sum.add_output(result);
    branch.add_output()->set_name(result);
  }
  builder.Output("y");
  return builder;
}

TEST(ExternalDataTest, GraphsInsideOfNodesHaveThemToo) {
  FakeFiles files;
  Put(files.Add("w.bin", 24), {1, 2, 3, 4, 5, 6});
  const auto graph = BranchModel(At(0, 12), At(12, 12)).Import({}, &files);
  ASSERT_TRUE(graph.ok()) << graph.status();
  ASSERT_EQ(graph->nodes.size(), 1u);
  const auto bodies = graph::Bodies(graph->nodes[0].operation);
  ASSERT_EQ(bodies.size(), 2u);
  ASSERT_EQ(bodies[1]->nodes.size(), 1u);
  EXPECT_THAT(ConstantFloats(*bodies[1], bodies[1]->nodes[0], 0), ElementsAre(4, 5, 6));
  EXPECT_EQ(files.opened, 1);

  const absl::Status status = BranchModel(At(0, 12), At(4, 12)).Import({}, &files).status();
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr("else_branch_w"), HasSubstr("overlap")));
}

TEST(ExternalDataTest, TensorsMayShareARangeButNotCutIntoOne) {
  FakeFiles files;
  files.Add("w.bin", 64);
  EXPECT_TRUE(SumModel({At(12, 12), At(12, 12)}).Import({}, &files).ok());
  EXPECT_TRUE(SumModel({At(12, 12), At(0, 12), At(24, 12)}).Import({}, &files).ok());
  for (const int64_t offset : {4, 8, 16, 20}) {
    const absl::Status status = SumModel({At(12, 12), At(offset, 12)}).Import({}, &files).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << offset;
    EXPECT_THAT(std::string(status.message()), AllOf(HasSubstr("\"w1\""), HasSubstr("overlap")));
  }
}

TEST(ExternalDataTest, BytesOfTheLimitAreReadAndOneMoreIsNot) {
  FakeFiles files;
  files.Add("w.bin", 24);
  const ModelBuilder builder = SumModel({At(0, 12), At(12, 12)});
  EXPECT_TRUE(builder.Import({.external_bytes = 24}, &files).ok());
  const absl::Status status = builder.Import({.external_bytes = 23}, &files).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), AllOf(HasSubstr("\"w1\""), HasSubstr("more than 23")));
}

struct Hostile {
  const char* name;
  Entries entries;
  const char* message;
};

class HostileExternalDataTest : public ::testing::TestWithParam<Hostile> {};

TEST_P(HostileExternalDataTest, IsRefusedWithTheNameOfTheInitializer) {
  FakeFiles files;
  files.Add("w.bin", 24);
  const absl::Status status = SumModel({GetParam().entries}).Import({}, &files).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr("\"w0\""), HasSubstr(GetParam().message)));
}

INSTANTIATE_TEST_SUITE_P(
    Cases, HostileExternalDataTest,
    ::testing::Values(
        Hostile{"NoEntries", {}, "no location"},
        Hostile{"EmptyLocation", {{"location", ""}}, "no location"},
        Hostile{"UnknownFile", {{"location", "other.bin"}}, "no such file"},
        Hostile{"LocationTwice", {{"location", "w.bin"}, {"location", "w.bin"}}, "twice"},
        Hostile{"NegativeOffset", {{"location", "w.bin"}, {"offset", "-4"}}, "offset"},
        Hostile{"OffsetIsNoNumber", {{"location", "w.bin"}, {"offset", "0x10"}}, "offset"},
        Hostile{"EmptyOffset", {{"location", "w.bin"}, {"offset", ""}}, "offset"},
        Hostile{"OffsetBeyondNumbers",
                {{"location", "w.bin"}, {"offset", "18446744073709551616"}},
                "offset"},
        Hostile{"OffsetThatWouldWrapAround",
                {{"location", "w.bin"}, {"offset", "18446744073709551612"}},
                "has 24 bytes"},
        Hostile{"OneByteTooFar", {{"location", "w.bin"}, {"offset", "13"}}, "has 24 bytes"},
        Hostile{"NegativeLength", {{"location", "w.bin"}, {"length", "-1"}}, "length"},
        Hostile{"LengthTooShort", {{"location", "w.bin"}, {"length", "11"}}, "want 12"},
        Hostile{"LengthTooLong", {{"location", "w.bin"}, {"length", "13"}}, "want 12"},
        Hostile{
            "HugeLength", {{"location", "w.bin"}, {"length", "18446744073709551615"}}, "want 12"}),
    [](const auto& info) { return std::string(info.param.name); });

TEST(ExternalDataTest, TensorWithDataInBothPlacesIsRefused) {
  FakeFiles files;
  files.Add("w.bin", 24);
  ModelBuilder builder = SumModel({At(0, 12)});
  builder.graph().mutable_initializer(0)->set_raw_data("123456789012");
  EXPECT_THAT(std::string(builder.Import({}, &files).status().message()),
              AllOf(HasSubstr("\"w0\""), HasSubstr("twice: in the model and in another file")));
}

// ---- Files on disk.

class ExternalFolderTest : public ::testing::Test {
 protected:
  void SetUp() override {
    fs::create_directories(folder_ / "deep");
    std::ofstream(folder_ / "w.bin") << "inside";
    std::ofstream(folder_ / "deep/w.bin") << "deep inside";
    std::ofstream(root_ / "secret.bin") << "outside";
    std::ofstream(root_ / "model-secret.bin") << "outside";
  }
  void TearDown() override { fs::remove_all(root_); }

  // What the file holds, or the message.
  std::string Read(const std::string& location) {
    ExternalFolder files(folder_.string());
    const auto file = files.Open(location);
    if (!file.ok()) {
      EXPECT_EQ(file.status().code(), absl::StatusCode::kInvalidArgument);
      return std::string(file.status().message());
    }
    return {reinterpret_cast<const char*>(file->bytes.data()), file->bytes.size()};
  }

  const fs::path root_ =
      fs::path(::testing::TempDir()) /
      absl::StrCat("external.", ::testing::UnitTest::GetInstance()->current_test_info()->name());
  const fs::path folder_ = root_ / "model";
};

TEST_F(ExternalFolderTest, FilesBelowItAreMapped) {
  EXPECT_EQ(Read("w.bin"), "inside");
  EXPECT_EQ(Read("./w.bin"), "inside");
  EXPECT_EQ(Read("deep/w.bin"), "deep inside");
  fs::create_symlink("deep/w.bin", folder_ / "link.bin");
  EXPECT_EQ(Read("link.bin"), "deep inside");
}

TEST_F(ExternalFolderTest, NamesThatLeadOutAreRefused) {
  EXPECT_THAT(Read("../secret.bin"), HasSubstr("wanted a path below"));
  EXPECT_THAT(Read("deep/../../secret.bin"), HasSubstr("wanted a path below"));
  EXPECT_THAT(Read((root_ / "secret.bin").string()), HasSubstr("wanted a path below"));
  EXPECT_THAT(Read((folder_ / "w.bin").string()), HasSubstr("wanted a path below"));
  EXPECT_THAT(Read(std::string("w.bin\0.txt", 10)), HasSubstr("wanted a path below"));
  EXPECT_THAT(Read(std::string(2000, 'a')), HasSubstr("wanted a path below"));
}

TEST_F(ExternalFolderTest, LinksThatLeadOutAreRefused) {
  fs::create_symlink("../secret.bin", folder_ / "link.bin");
  fs::create_symlink("../model-secret.bin", folder_ / "near.bin");
  fs::create_directory_symlink("..", folder_ / "up");
  EXPECT_THAT(Read("link.bin"), HasSubstr("leads out"));
  EXPECT_THAT(Read("near.bin"), HasSubstr("leads out"));
  EXPECT_THAT(Read("up/secret.bin"), HasSubstr("leads out"));
}

TEST_F(ExternalFolderTest, WhatIsNoFileIsRefused) {
  EXPECT_THAT(Read("missing.bin"), HasSubstr("cannot be opened"));
  EXPECT_THAT(Read("deep"), HasSubstr("not a regular file"));
}

TEST_F(ExternalFolderTest, NamedFilesAreFoundByTheirLocationOnly) {
  ExternalFiles files({{"any /../ name", (folder_ / "w.bin").string()}});
  EXPECT_TRUE(files.Open("any /../ name").ok());
  const absl::Status status = files.Open("w.bin").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("\"w.bin\" did not come with the model"));
}

// ---- Export.

// The data file of an export, in memory.
struct DataFile {
  std::string bytes;
  ExportOptions Options(size_t constant_bytes_max) {
    ExportOptions options;
    options.constant_bytes_max = constant_bytes_max;
    options.external_tensor_bytes_min = 64;
    options.data_location = "model.onnx.data";
    options.append_data = [this](std::span<const std::byte> more) {
      bytes.append(reinterpret_cast<const char*>(more.data()), more.size());
      return absl::OkStatus();
    };
    return options;
  }
};

// x [8] * big [8, 8] + large [8, 8] + small [8]: 544 bytes of constants.
graph::Graph WeightyGraph() {
  std::vector<float> big(64);
  for (size_t i = 0; i < big.size(); ++i) big[i] = static_cast<float>(i);
  ModelBuilder builder;
  builder.Input("x", {8});
  builder.Floats("big", {8, 8}, big);
  builder.Floats("large", {8, 8}, std::vector<float>(64, 0.5f));
  builder.Floats("small", {8}, std::vector<float>(8, 2.0f));
  builder.Node("Mul", {"x", "big"}, {"a"});
  builder.Node("Add", {"a", "large"}, {"b"});
  builder.Node("Add", {"b", "small"}, {"y"});
  builder.Output("y");
  return builder.Import().value();
}

TEST(ExternalExportTest, ConstantsOfTheLimitStayInsideAndOneByteMoreGoesOutside) {
  DataFile data;
  ASSERT_TRUE(Export(WeightyGraph(), data.Options(544)).ok());
  EXPECT_EQ(data.bytes.size(), 0u);
  ASSERT_TRUE(Export(WeightyGraph(), data.Options(543)).ok());
  EXPECT_EQ(data.bytes.size(), 4096u + 256u);
}

TEST(ExternalExportTest, StatesThePlaceOfEachLargeTensor) {
  DataFile data;
  const auto file = Export(WeightyGraph(), data.Options(0));
  ASSERT_TRUE(file.ok()) << file.status();
  ::onnx::ModelProto model;
  ASSERT_TRUE(model.ParseFromString(*file));
  ASSERT_EQ(model.graph().initializer_size(), 3);
  const ::onnx::TensorProto& large = model.graph().initializer(1);
  EXPECT_EQ(large.data_location(), ::onnx::TensorProto::EXTERNAL);
  EXPECT_FALSE(large.has_raw_data());
  Entries entries;
  for (const auto& entry : large.external_data()) entries.emplace_back(entry.key(), entry.value());
  EXPECT_EQ(entries,
            (Entries{{"location", "model.onnx.data"}, {"offset", "4096"}, {"length", "256"}}));
  EXPECT_EQ(model.graph().initializer(2).raw_data().size(), 32u);
}

TEST(ExternalExportTest, ImportingItGivesTheSameGraph) {
  DataFile data;
  const graph::Graph graph = WeightyGraph();
  const auto file = Export(graph, data.Options(0));
  ASSERT_TRUE(file.ok()) << file.status();
  FakeFiles files;
  std::memcpy(files.Add("model.onnx.data", data.bytes.size()), data.bytes.data(),
              data.bytes.size());
  const auto again = ImportBytes(*file, {}, &files);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(Structure(*again), Structure(graph));
}

TEST(ExternalExportTest, WritesThoseOfGraphsInsideOfNodesToo) {
  FakeFiles files;
  Put(files.Add("w.bin", 24), {1, 2, 3, 4, 5, 6});
  const auto graph = BranchModel(At(0, 12), At(12, 12)).Import({}, &files);
  ASSERT_TRUE(graph.ok()) << graph.status();
  DataFile data;
  ExportOptions options = data.Options(23);
  options.external_tensor_bytes_min = 12;
  ASSERT_TRUE(Export(*graph, options).ok());
  EXPECT_EQ(data.bytes.size(), 4096u + 12u);
}

TEST(ExternalExportTest, ReturnsTheErrorOfTheDataFile) {
  ExportOptions options = DataFile().Options(0);
  options.append_data = [](std::span<const std::byte>) {
    return absl::ResourceExhaustedError("disk full");
  };
  EXPECT_EQ(Export(WeightyGraph(), options).status(), absl::ResourceExhaustedError("disk full"));
}

}  // namespace
}  // namespace fourfold::onnx
