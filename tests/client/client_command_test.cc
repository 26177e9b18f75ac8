#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <span>
#include <sstream>
#include <string>
#include <vector>

#include "client/cli/command.h"
#include "client/samples/npy.h"
#include "client/samples/npz.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tests/client/client_fake_server.h"

namespace fourfold::cli {
namespace {

using client::FakeBehaviour;
using client::FakeServer;
using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;

struct Result {
  int code;
  std::string out;
  std::string err;
};

class CommandTest : public ::testing::Test {
 protected:
  CommandTest() {
    folder_ =
        std::filesystem::path(::testing::TempDir()) /
        ("command_" + std::string(::testing::UnitTest::GetInstance()->current_test_info()->name()) +
         std::to_string(getpid()));
    std::filesystem::create_directories(folder_);
    std::ofstream(folder_ / "m.onnx") << "model";
    const float values[] = {0.25F, 0.75F, 0.5F, 0.125F};
    const samples::Array array =
        samples::MakeArray(samples::DType::kFloat32, {2, 2}, std::as_bytes(std::span(values)));
    EXPECT_TRUE(samples::WriteNpyFile(folder_ / "x.npy", array).ok());
    const int64_t labels[] = {1, 0};
    const samples::NamedArray arrays[] = {
        {"x", array},
        {"labels",
         samples::MakeArray(samples::DType::kInt64, {2}, std::as_bytes(std::span(labels)))}};
    EXPECT_TRUE(samples::WriteNpz(folder_ / "samples.npz", arrays).ok());
  }
  ~CommandTest() override { std::filesystem::remove_all(folder_); }

  void Start(FakeBehaviour behaviour) {
    server_ = std::make_unique<FakeServer>(std::move(behaviour));
  }

  Result Run(const std::vector<std::string>& words) {
    std::ostringstream out;
    std::ostringstream err;
    const int code = RunFourfold(
        words, {out, err, false, server_ == nullptr ? "127.0.0.1:1" : server_->address()});
    return {code, out.str(), err.str()};
  }

  std::string Path(const std::string& name) const { return folder_ / name; }

  std::filesystem::path folder_;
  std::unique_ptr<FakeServer> server_;
};

FakeBehaviour JobThatSucceeds() {
  return {
      .events = {{"import", 100, "", 2}, {"calibrate", 50, "int8", 2}, {"publish", 100, "", 3}}};
}

TEST_F(CommandTest, HelpNamesEveryCommandAndFlag) {
  const Result overview = Run({"--help"});
  EXPECT_EQ(overview.code, 0);
  for (const char* command : {"upload", "infer", "compare", "list", "show", "download", "delete",
                              "jobs", "cancel", "status"}) {
    EXPECT_THAT(overview.out, HasSubstr(command));
    const Result help = Run({command, "--help"});
    EXPECT_EQ(help.code, 0) << command;
    EXPECT_THAT(help.out, AllOf(HasSubstr("usage: fourfold " + std::string(command)),
                                HasSubstr("--format="), HasSubstr("--address=")));
  }
  EXPECT_EQ(Run({}).code, 2);
}

TEST_F(CommandTest, WrongUsageIsTwoAndSaysWhat) {
  const struct {
    std::vector<std::string> words;
    std::string says;
  } cases[] = {
      {{"lsit"}, "did you mean list"},
      {{"list", "--fromat=json"}, "did you mean --format"},
      {{"compare"}, "lacks NAME"},
      {{"compare", "a", "b"}, "\"b\" is one argument too many"},
      {{"compare", "a", "--format=xml"}, "wanted table, json, csv"},
      {{"compare", "a", "--version=-1"}, "--version=-1"},
      {{"download", "a"}, "--output=FILE"},
      {{"download", "a@", "--output=b"}, "NAME@VARIANT"},
      {{"infer", "a"}, "--input"},
      {{"upload", "a.onnx"}, "--name"},
      {{"upload", "a.onnx", "--name=a", "--labels=c.csv"}, "--eval"},
      {{"upload", "a.onnx", "--name=a", "--layout=hwc"}, "--layout"},
      {{"list", "--address="}, "--address"},
  };
  for (const auto& wrong : cases) {
    const Result result = Run(wrong.words);
    EXPECT_EQ(result.code, 2) << wrong.says;
    EXPECT_THAT(result.err, HasSubstr(wrong.says));
    EXPECT_EQ(result.out, "");
  }
}

TEST_F(CommandTest, UnreachableServerIsOneAndNamed) {
  const Result result = Run({"list", "--format=json"});
  EXPECT_EQ(result.code, 1);
  EXPECT_EQ(result.out, "");
  EXPECT_THAT(result.err, AllOf(HasSubstr("UNAVAILABLE"), HasSubstr("127.0.0.1:1")));
}

TEST_F(CommandTest, UploadWaitsAndPrintsOneJsonObject) {
  Start(JobThatSucceeds());
  const Result result =
      Run({"upload", Path("m.onnx"), "--name=digits", "--variants=fp32,int8", "--calibration",
           Path("samples.npz"), "--eval=" + Path("samples.npz"), "--wait", "--format=json"});
  ASSERT_EQ(result.code, 0) << result.err;
  EXPECT_EQ(result.err, "");
  const json printed = json::parse(result.out);
  EXPECT_EQ(printed.at("job_id"), "job-1");
  EXPECT_EQ(printed.at("model"), "digits");
  EXPECT_EQ(printed.at("variants")[1].at("versus_fp32").at("speedup"), 4);

  const client::ReceivedUpload upload = server_->upload();
  EXPECT_EQ(upload.model_bytes, "model");
  EXPECT_THAT(upload.variants, ::testing::ElementsAre("fp32", "int8"));
  ASSERT_EQ(upload.calibration.size(), 1u);
  EXPECT_THAT(upload.calibration[0].shapes[0], ::testing::ElementsAre(2, 2));
  EXPECT_TRUE(upload.calibration[0].labels.empty());
  ASSERT_EQ(upload.evaluation.size(), 1u);
  EXPECT_THAT(upload.evaluation[0].labels, ::testing::ElementsAre(1, 0));
}

TEST_F(CommandTest, UploadPrintsStagesAndTheTable) {
  Start(JobThatSucceeds());
  const Result result = Run({"upload", Path("m.onnx"), "--name=digits", "--wait"});
  ASSERT_EQ(result.code, 0) << result.err;
  EXPECT_THAT(result.out, AllOf(HasSubstr("job job-1"), HasSubstr("calibrate"),
                                HasSubstr("SQNR dB"), HasSubstr("int8 *")));
}

TEST_F(CommandTest, UploadWhoseJobFailsIsOneWithTheReason) {
  Start({.events = {{"import", 0, "operator Foo is not known", 4}}});
  const Result result = Run({"upload", Path("m.onnx"), "--name=digits", "--wait", "--format=json"});
  EXPECT_EQ(result.code, 1);
  EXPECT_EQ(result.out, "");
  EXPECT_THAT(result.err, HasSubstr("failed at import: operator Foo is not known"));
}

TEST_F(CommandTest, InferResolvesTheOnlyInputAndWritesOutputs) {
  Start({});
  const Result result = Run({"infer", "digits", "--input=" + Path("x.npy"),
                             "--output=" + Path("y.npz"), "--format=json"});
  ASSERT_EQ(result.code, 0) << result.err;
  const json printed = json::parse(result.out);
  EXPECT_EQ(printed.at("variant"), "int8");
  EXPECT_EQ(printed.at("outputs")[0].at("shape"), json({2, 2}));
  EXPECT_EQ(printed.at("outputs")[0].at("data"), json({0.25, 0.75, 0.5, 0.125}));
  const auto arrays = samples::ReadNpz(Path("y.npz"), {});
  ASSERT_TRUE(arrays.ok()) << arrays.status();
  EXPECT_EQ(arrays->front().name, "y");
  float second = 0;
  std::memcpy(&second, arrays->front().array.bytes.data.data() + 4, 4);
  EXPECT_EQ(second, 0.75F);
  EXPECT_THAT(Run({"infer", "digits", "--input", "x=" + Path("x.npy")}).out,
              AllOf(HasSubstr("digits@int8 version 2"), HasSubstr("2x2"), HasSubstr("1 0")));
}

TEST_F(CommandTest, InferAsksForNamesIfTheModelHasSeveralInputs) {
  Start({.inputs = {"ids", "mask"}});
  const Result result = Run({"infer", "digits", "--input=" + Path("x.npy")});
  EXPECT_EQ(result.code, 1);
  EXPECT_THAT(result.err, AllOf(HasSubstr("ids, mask"), HasSubstr("TENSOR=FILE.npy")));
}

TEST_F(CommandTest, EveryCommandPrintsOneJsonObject) {
  Start({.download_bytes = "",
         .download_sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"});
  const std::vector<std::vector<std::string>> lines = {
      {"compare", "digits"},
      {"list"},
      {"show", "digits"},
      {"jobs"},
      {"cancel", "job-1"},
      {"delete", "digits", "--version=2"},
      {"status"},
      {"download", "digits@int8", "--output=" + Path("d.onnx")},
      {"upload", Path("m.onnx"), "--name=digits"}};
  for (std::vector<std::string> words : lines) {
    EXPECT_EQ(Run(words).code, 0) << words[0];
    EXPECT_NE(Run(words).out, "") << words[0];
    words.push_back("--format=json");
    const Result result = Run(words);
    EXPECT_EQ(result.code, 0) << words[0] << result.err;
    EXPECT_TRUE(json::parse(result.out, nullptr, false).is_object()) << words[0] << result.out;
    EXPECT_EQ(result.err, "") << words[0];
  }
}

TEST_F(CommandTest, UnknownModelIsOneWithTheServersMessage) {
  Start({});
  for (const std::vector<std::string>& words :
       std::vector<std::vector<std::string>>{{"compare", "x"},
                                             {"show", "x"},
                                             {"delete", "x"},
                                             {"cancel", "x"},
                                             {"infer", "x", "--input=x=" + Path("x.npy")},
                                             {"download", "x", "--output=" + Path("d.onnx")}}) {
    const Result result = Run(words);
    EXPECT_EQ(result.code, 1) << words[0];
    EXPECT_THAT(result.err, HasSubstr("NOT_FOUND: no \"x\"")) << words[0];
  }
}

TEST_F(CommandTest, StatusOfAServerThatIsNotReadyIsOne) {
  Start({.ready = false});
  const Result result = Run({"status", "--format=json"});
  EXPECT_EQ(result.code, 1);
  EXPECT_EQ(json::parse(result.out).at("ready"), false);
}

}  // namespace
}  // namespace fourfold::cli
