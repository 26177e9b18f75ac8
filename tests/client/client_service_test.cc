#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "client/client.h"
#include "client/external_files.h"
#include "client/samples/sample_source.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/client/client_fake_server.h"

namespace fourfold::client {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// SHA-256 of "abc", FIPS 180-4's own example.
constexpr char kAbcSha256[] = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

// Samples 0, 1, 2, ... as one float each, from memory.
class CountingSource : public samples::SampleSource {
 public:
  explicit CountingSource(int64_t size, int64_t width = 1) : size_(size), width_(width) {
    inputs_[0].dims = {width};
  }

  void SetLabels(std::vector<int64_t> labels) { labels_ = std::move(labels); }
  void FailAt(int64_t index) { fail_at_ = index; }

  int64_t size() const override { return size_; }
  const std::vector<samples::SampleInput>& inputs() const override { return inputs_; }
  const std::optional<std::vector<int64_t>>& labels() const override { return labels_; }
  absl::StatusOr<samples::Sample> Read(int64_t index) const override {
    if (index == fail_at_) return absl::InvalidArgumentError("sample 3 has a NaN");
    samples::Sample sample;
    sample.decoded.assign(static_cast<size_t>(width_), static_cast<float>(index));
    sample.inputs.push_back(std::as_bytes(std::span(sample.decoded)));
    return sample;
  }

 private:
  const int64_t size_;
  const int64_t width_;
  std::vector<samples::SampleInput> inputs_ = {{"x", samples::DType::kFloat32, {}}};
  std::optional<std::vector<int64_t>> labels_;
  int64_t fail_at_ = -1;
};

// An encoded field, below 16, that is a message or a text.
std::string Message(int number, const std::string& body) {
  std::string field(1, static_cast<char>(number << 3 | 2));
  for (size_t size = body.size();; size >>= 7) {
    field += static_cast<char>(size < 128 ? size : (size & 127) | 128);
    if (size < 128) break;
  }
  return field + body;
}

// An ONNX TensorProto: external_data (13) with "location", data_location (14) EXTERNAL.
std::string TensorNaming(const std::string& location) {
  return Message(8, "w") + Message(13, Message(1, "location") + Message(2, location)) +
         Message(13, Message(1, "offset") + Message(2, "0")) + std::string("\x70\x01");
}

// A ModelProto whose graph (7) has an initializer (5) for each location.
std::string ModelNaming(const std::vector<std::string>& locations) {
  std::string graph;
  for (const std::string& location : locations) graph += Message(5, TensorNaming(location));
  return Message(7, graph);
}

class ClientTest : public ::testing::Test {
 protected:
  ClientTest() {
    folder_ =
        std::filesystem::path(::testing::TempDir()) /
        ("client_" + std::string(::testing::UnitTest::GetInstance()->current_test_info()->name()) +
         std::to_string(getpid()));
    std::filesystem::create_directories(folder_);
  }
  ~ClientTest() override { std::filesystem::remove_all(folder_); }

  std::string WriteFile(const std::string& name, const std::string& bytes) {
    const std::string path = folder_ / name;
    std::ofstream(path, std::ios::binary) << bytes;
    return path;
  }

  static std::string ReadFile(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  size_t FilesInFolder() const {
    return static_cast<size_t>(std::distance(std::filesystem::directory_iterator(folder_), {}));
  }

  std::filesystem::path folder_;
};

TEST_F(ClientTest, UploadSendsHeaderModelAndSamplesInPieces) {
  FakeServer server({});
  Client client({.address = server.address()});
  std::string model(2'500, '\0');
  for (size_t i = 0; i < model.size(); ++i) model[i] = static_cast<char>(i * 7);
  const CountingSource calibration(600);
  CountingSource evaluation(3, /*width=*/1000);  // one sample is larger than a message
  evaluation.SetLabels({4, 5, 6});
  int64_t reported_bytes = 0;
  int64_t reported_samples = 0;
  const auto result =
      client.Upload({.model = "digits",
                     .model_path = WriteFile("m.onnx", model),
                     .variants = {"fp32", "int8"},
                     .calibration = &calibration,
                     .evaluation = &evaluation,
                     .progress =
                         [&](const UploadProgress& progress) {
                           (progress.part == UploadPart::kModel ? reported_bytes
                                                                : reported_samples) = progress.done;
                         },
                     .message_bytes = 1000});
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->job_id, "job-1");
  EXPECT_EQ(result->version, 2);
  EXPECT_EQ(reported_bytes, 2'500);
  EXPECT_EQ(reported_samples, 3);

  const ReceivedUpload upload = server.upload();
  EXPECT_EQ(upload.model, "digits");
  EXPECT_THAT(upload.variants, ElementsAre("fp32", "int8"));
  EXPECT_EQ(upload.promised_model_bytes, 2'500);
  EXPECT_EQ(upload.promised_calibration, 600);
  EXPECT_EQ(upload.promised_evaluation, 3);
  EXPECT_EQ(upload.model_bytes, model);
  EXPECT_EQ(upload.largest_chunk, 1000u);
  ASSERT_EQ(upload.calibration.size(), 3u);  // 250 floats fit 1000 bytes: 250 + 250 + 100
  EXPECT_THAT(upload.calibration[2].shapes[0], ElementsAre(100, 1));
  EXPECT_THAT(upload.calibration[0].names, ElementsAre("x"));
  EXPECT_THAT(upload.calibration[0].datatypes, ElementsAre("FP32"));
  EXPECT_TRUE(upload.calibration[0].labels.empty());
  float last = 0;
  std::memcpy(&last, upload.calibration[2].raw[0].data() + 99 * sizeof last, sizeof last);
  EXPECT_EQ(last, 599);
  ASSERT_EQ(upload.evaluation.size(), 3u);
  EXPECT_THAT(upload.evaluation[1].shapes[0], ElementsAre(1, 1000));
  EXPECT_THAT(upload.evaluation[1].labels, ElementsAre(5));
}

TEST_F(ClientTest, UploadThatTheServerCutsEarlyReportsTheServersStatus) {
  FakeServer server({.refuse_upload_after_bytes = 1 << 20});
  Client client({.address = server.address()});
  const std::string path = WriteFile("large.onnx", std::string(32 << 20, 'x'));
  const auto result = client.Upload({.model = "digits", .model_path = path});
  EXPECT_EQ(result.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(result.status().message(), "too large");
  EXPECT_LT(server.upload().model_bytes.size(), size_t{32} << 20);
}

TEST_F(ClientTest, UploadWithABadSampleBreaksOffAndReportsIt) {
  FakeServer server({});
  Client client({.address = server.address()});
  CountingSource calibration(10);
  calibration.FailAt(3);
  const auto result = client.Upload(
      {.model = "digits", .model_path = WriteFile("m.onnx", "onnx"), .calibration = &calibration});
  EXPECT_EQ(result.status(), absl::InvalidArgumentError("sample 3 has a NaN"));
  EXPECT_TRUE(server.upload().cancelled);
}

TEST_F(ClientTest, UploadSendsTheFilesThatTheModelNames) {
  FakeServer server({});
  Client client({.address = server.address()});
  std::filesystem::create_directories(folder_ / "parts");
  WriteFile("a.bin", std::string(2'500, 'a'));
  WriteFile("parts/b.bin", "b");
  WriteFile("empty.bin", "");
  WriteFile("other.bin", "not the model's");
  const std::string model = ModelNaming({"parts/b.bin", "a.bin", "parts/b.bin", "empty.bin"});
  int64_t reported = 0;
  const auto result = client.Upload({.model = "m",
                                     .model_path = WriteFile("m.onnx", model),
                                     .progress =
                                         [&](const UploadProgress& progress) {
                                           if (progress.part == UploadPart::kExternalData)
                                             reported = progress.done;
                                         },
                                     .message_bytes = 1000});
  ASSERT_TRUE(result.ok()) << result.status();
  const ReceivedUpload upload = server.upload();
  EXPECT_EQ(upload.model_bytes, model);
  EXPECT_EQ(upload.promised_external_bytes, 2'501);
  EXPECT_EQ(reported, 2'501);
  ASSERT_EQ(upload.external.size(), 3u);
  EXPECT_EQ(upload.external[0].location, "parts/b.bin");
  EXPECT_EQ(upload.external[0].bytes, "b");
  EXPECT_EQ(upload.external[1].location, "a.bin");
  EXPECT_EQ(upload.external[1].promised_bytes, 2'500);
  EXPECT_EQ(upload.external[1].bytes, std::string(2'500, 'a'));
  EXPECT_EQ(upload.external[2].bytes, "");
  EXPECT_LE(upload.largest_chunk, 1000u);
}

TEST_F(ClientTest, UploadFindsFilesThatConstantsInSubgraphsName) {
  WriteFile("w.bin", "w");
  // A graph, a node, its attribute, a graph in it, a node, an attribute, a tensor.
  const std::string tensor = TensorNaming("w.bin");
  const std::string inner = Message(1, Message(5, Message(5, tensor)));
  const std::string model = Message(7, Message(1, Message(5, Message(6, inner))));
  const auto files = FindExternalFiles(WriteFile("m.onnx", model));
  ASSERT_TRUE(files.ok()) << files.status();
  ASSERT_EQ(files->size(), 1u);
  EXPECT_EQ(files->front().location, "w.bin");
}

TEST_F(ClientTest, UploadRefusesFilesOutsideOfTheModelsFolder) {
  std::filesystem::create_directories(folder_ / "inside");
  WriteFile("secret.bin", "secret");
  std::filesystem::create_symlink("../secret.bin", folder_ / "inside/link.bin");
  const auto find = [&](const std::string& location) {
    return FindExternalFiles(WriteFile("inside/m.onnx", ModelNaming({location}))).status();
  };
  EXPECT_EQ(find("../secret.bin").code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(find(folder_ / "secret.bin").code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(find("link.bin").code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(find(".").code(), absl::StatusCode::kInvalidArgument);
  const absl::Status missing = find("none.bin");
  EXPECT_EQ(missing.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(missing.message()), HasSubstr("none.bin"));
}

TEST_F(ClientTest, WhatIsNoModelNamesNoFiles) {
  const std::string model = ModelNaming({"none.bin"});
  for (const std::string& bytes :
       {std::string("not a model"), model.substr(0, model.size() - 1), model + "\x07"}) {
    const auto files = FindExternalFiles(WriteFile("m.onnx", bytes));
    ASSERT_TRUE(files.ok()) << files.status();
    EXPECT_TRUE(files->empty());
  }
}

TEST_F(ClientTest, UploadRefusesFilesThatAreNoModelsBeforeItConnects) {
  Client client({.address = "127.0.0.1:1"});
  const auto missing = client.Upload({.model = "m", .model_path = folder_ / "none.onnx"});
  EXPECT_EQ(missing.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(missing.status().message()), HasSubstr("none.onnx"));
  const auto folder = client.Upload({.model = "m", .model_path = folder_});
  EXPECT_EQ(folder.status().code(), absl::StatusCode::kInvalidArgument);
  const auto empty = client.Upload({.model = "m", .model_path = WriteFile("e.onnx", "")});
  EXPECT_THAT(std::string(empty.status().message()), HasSubstr("empty"));
}

TEST_F(ClientTest, WatchDeliversEventsInOrderAndEndsWithTheFinalOne) {
  FakeServer server({.events = {{"import", 0, "", 2},
                                {"calibrate", 50, "int8", 2},
                                {"quantize", 0, "no int8 for Foo", 4}}});
  Client client({.address = server.address()});
  std::vector<std::string> stages;
  const auto last =
      client.WatchJob("job-1", [&](const JobEvent& event) { stages.push_back(event.stage); });
  ASSERT_TRUE(last.ok()) << last.status();
  EXPECT_THAT(stages, ElementsAre("import", "calibrate", "quantize"));
  EXPECT_EQ(last->state, JobState::kFailed);
  EXPECT_EQ(last->message, "no int8 for Foo");
}

TEST_F(ClientTest, WatchThatEndsBeforeTheJobIsUnavailable) {
  FakeServer server({.events = {{"import", 0, "", 2}}});
  Client client({.address = server.address()});
  const auto last = client.WatchJob("job-1", [](const JobEvent&) {});
  EXPECT_EQ(last.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(client.WatchJob("other", [](const JobEvent&) {}).status().code(),
            absl::StatusCode::kNotFound);
}

TEST_F(ClientTest, DownloadWritesTheFileWhenItsChecksumIsRight) {
  FakeServer server(
      {.download_bytes = "abc", .download_sha256 = kAbcSha256, .download_file_bytes = 3});
  Client client({.address = server.address()});
  const std::string path = WriteFile("out.onnx", "older");
  const auto file = client.Download({.model = "digits", .variant = "fp16", .path = path});
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ(file->variant, "fp16");
  EXPECT_EQ(ReadFile(path), "abc");
  EXPECT_EQ(FilesInFolder(), 1u);  // no temporary file stays
}

TEST_F(ClientTest, DownloadPutsTheSecondFileBesideTheFirst) {
  FakeServer server({.download_bytes = "abc",
                     .download_sha256 = kAbcSha256,
                     .download_file_bytes = 3,
                     .download_location = "fp32.onnx.data"});
  Client client({.address = server.address()});
  const std::string path = folder_ / "out.onnx";
  for (int again = 0; again < 2; ++again) {  // over what is there already
    const auto file = client.Download({.model = "digits", .path = path});
    ASSERT_TRUE(file.ok()) << file.status();
    EXPECT_EQ(file->file_bytes, 6);
    EXPECT_EQ(file->data_path, folder_ / "fp32.onnx.data");
    EXPECT_EQ(ReadFile(file->data_path), "abc");
    EXPECT_EQ(FilesInFolder(), 2u);
  }
}

TEST_F(ClientTest, DownloadKeepsAnotherModelsWeights) {
  FakeServer server({.download_bytes = "abc",
                     .download_sha256 = kAbcSha256,
                     .download_file_bytes = 3,
                     .download_location = "fp32.onnx.data"});
  Client client({.address = server.address()});
  const std::string other = WriteFile("fp32.onnx.data", "another model's");
  const auto file = client.Download({.model = "digits", .path = folder_ / "out.onnx"});
  EXPECT_EQ(file.status().code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(ReadFile(other), "another model's");
  EXPECT_EQ(FilesInFolder(), 1u);
}

TEST_F(ClientTest, DownloadWritesNowhereElse) {
  for (const char* location : {"../up", "/tmp/up", "..", ".hidden", "a/b"}) {
    FakeServer server({.download_bytes = "abc",
                       .download_sha256 = kAbcSha256,
                       .download_file_bytes = 3,
                       .download_location = location});
    Client client({.address = server.address()});
    const auto file = client.Download({.model = "digits", .path = folder_ / "out.onnx"});
    EXPECT_EQ(file.status().code(), absl::StatusCode::kDataLoss) << location;
    EXPECT_EQ(FilesInFolder(), 0u);
  }
}

TEST_F(ClientTest, DownloadWithAWrongChecksumIsDataLossAndKeepsTheOlderFile) {
  FakeServer server(
      {.download_bytes = "abd", .download_sha256 = kAbcSha256, .download_file_bytes = 3});
  Client client({.address = server.address()});
  const std::string path = WriteFile("out.onnx", "older");
  const auto file = client.Download({.model = "digits", .path = path});
  EXPECT_EQ(file.status().code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(file.status().message()), HasSubstr(kAbcSha256));
  EXPECT_EQ(ReadFile(path), "older");
  EXPECT_EQ(FilesInFolder(), 1u);
}

TEST_F(ClientTest, DownloadOfTooFewOrTooManyBytesIsDataLoss) {
  for (const int64_t promised : {2, 4}) {
    FakeServer server(
        {.download_bytes = "abc", .download_sha256 = kAbcSha256, .download_file_bytes = promised});
    Client client({.address = server.address()});
    const auto file = client.Download({.model = "digits", .path = folder_ / "out.onnx"});
    EXPECT_EQ(file.status().code(), absl::StatusCode::kDataLoss) << promised;
    EXPECT_EQ(FilesInFolder(), 0u);
  }
}

TEST_F(ClientTest, DownloadToAFolderIsRefused) {
  FakeServer server({});
  Client client({.address = server.address()});
  EXPECT_EQ(client.Download({.model = "digits", .path = folder_}).status().code(),
            absl::StatusCode::kInvalidArgument);
  const auto missing = client.Download({.model = "x", .path = folder_ / "out.onnx"});
  EXPECT_EQ(missing.status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(FilesInFolder(), 0u);
}

TEST_F(ClientTest, UnreachableServerIsUnavailableAndNamed) {
  std::string address;
  {
    const FakeServer gone({});
    address = gone.address();
  }
  Client client({.address = address});
  for (const absl::Status& status :
       {client.List().status(), client.Status().status(),
        client.Upload({.model = "m", .model_path = WriteFile("m.onnx", "x")}).status(),
        client.WatchJob("job-1", [](const JobEvent&) {}).status()}) {
    EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(address));
  }
}

TEST_F(ClientTest, InferReturnsTensorsAndTheVariantThatAnswered) {
  FakeServer server({});
  Client client({.address = server.address()});
  const auto response =
      client.Infer({.model = "digits",
                    .id = "request 7",
                    .inputs = {{"x", "UINT8", {1, 3}, std::string("\0\1\2", 3)}}});
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->variant, "int8");
  EXPECT_EQ(response->version, 2);
  EXPECT_EQ(response->id, "request 7");
  ASSERT_EQ(response->outputs.size(), 1u);
  EXPECT_EQ(response->outputs[0].name, "y");
  EXPECT_EQ(response->outputs[0].datatype, "UINT8");
  EXPECT_THAT(response->outputs[0].shape, ElementsAre(1, 3));
  EXPECT_EQ(response->outputs[0].bytes, std::string("\0\1\2", 3));
}

TEST_F(ClientTest, ComparisonKeepsValuesAndTheAbsenceOfMeasurements) {
  FakeServer server({});
  Client client({.address = server.address()});
  const auto comparison = client.Compare("digits", 0);
  ASSERT_TRUE(comparison.ok()) << comparison.status();
  ASSERT_EQ(comparison->variants.size(), 2u);
  EXPECT_FALSE(comparison->variants[0].labelled.has_value());
  EXPECT_EQ(comparison->variants[0].latency->p50_ms, 2);
  EXPECT_TRUE(comparison->variants[1].is_default);
  EXPECT_EQ(comparison->variants[1].labelled->top1, 0.75);
  EXPECT_EQ(comparison->variants[1].fidelity->sqnr_db, 31.5);
  EXPECT_EQ(comparison->variants[1].executed.kernels.at("conv"), "reference");
  EXPECT_EQ(client.Compare("x", 0).status().code(), absl::StatusCode::kNotFound);
}

TEST_F(ClientTest, JobsModelsAndDeletion) {
  FakeServer server({});
  Client client({.address = server.address()});
  EXPECT_EQ(client.GetJob("job-1")->state, JobState::kRunning);
  EXPECT_EQ(client.Cancel("job-1")->state, JobState::kCancelled);
  EXPECT_EQ(client.Jobs("digits")->size(), 1u);
  EXPECT_EQ(client.Jobs("other")->size(), 0u);
  EXPECT_THAT(client.List()->front().versions, ElementsAre(1, 2));
  EXPECT_THAT(client.Describe("digits", 0)->inputs[0].shape, ElementsAre(-1, 64));
  EXPECT_THAT(*client.Delete("digits", 0), ElementsAre(1, 2));
  EXPECT_EQ(client.Delete("x", 0).status().code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace fourfold::client
