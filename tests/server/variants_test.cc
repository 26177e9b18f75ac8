#include <gmock/gmock.h>

#include "server/base/file.h"
#include "server/base/sha256.h"
#include "tests/server/server_fixture.h"
#include "tests/testing/small_model.h"

namespace fourfold {
namespace {

using fourfold::v1::UploadRequest;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class VariantsTest : public testing::ServerFixture {
 protected:
  void SetUp() override { Start(); }

  // The refusal of an upload that should leave nothing behind.
  std::string Refusal(const std::vector<UploadRequest>& messages,
                      grpc::StatusCode code = grpc::StatusCode::INVALID_ARGUMENT) {
    fourfold::v1::UploadResponse response;
    const grpc::Status status = Upload(messages, &response);
    EXPECT_EQ(status.error_code(), code) << status.error_message();
    EXPECT_THAT(store_.Files(), IsEmpty());
    return status.error_message();
  }
};

TEST_F(VariantsTest, UploadPublishesAndVersionsCount) {
  EXPECT_EQ(Publish("m").state(), fourfold::v1::JOB_STATE_DONE);
  EXPECT_EQ(Publish("m").state(), fourfold::v1::JOB_STATE_DONE);
  EXPECT_THAT(store_.Files(), ElementsAre("m/1/fp32.onnx", "m/1/int8.onnx", "m/1/manifest.json",
                                          "m/2/fp32.onnx", "m/2/int8.onnx", "m/2/manifest.json"));
  grpc::ClientContext context;
  fourfold::v1::ListModelsResponse models;
  ASSERT_TRUE(variants_->ListModels(&context, {}, &models).ok());
  ASSERT_EQ(models.models_size(), 1);
  EXPECT_EQ(models.models(0).version(), 2);
  EXPECT_THAT(models.models(0).versions(), ElementsAre(1, 2));
  EXPECT_THAT(models.models(0).variants(), ElementsAre("fp32", "int8"));
  EXPECT_EQ(models.models(0).default_variant(), "int8");
}

TEST_F(VariantsTest, UploadRefusesBadFormAndKeepsNothing) {
  EXPECT_THAT(Refusal({}), HasSubstr("wanted a header"));
  auto messages = UploadMessages("../x");
  EXPECT_THAT(Refusal(messages), HasSubstr("model name"));
  messages = UploadMessages("m");
  messages.erase(messages.begin());
  EXPECT_THAT(Refusal(messages), HasSubstr("the first message is model_chunk, wanted header"));
  messages = UploadMessages("m");
  messages.erase(messages.begin() + 1);
  EXPECT_THAT(Refusal(messages), HasSubstr("the model is empty"));
  messages = UploadMessages("m");
  std::swap(messages[1], messages[2]);
  EXPECT_THAT(Refusal(messages), HasSubstr("out of order"));
  messages = UploadMessages("m");
  messages.insert(messages.begin(), messages[0]);
  EXPECT_THAT(Refusal(messages), HasSubstr("second header"));
  messages = UploadMessages("m");
  messages[0].mutable_header()->set_model_bytes(21);
  EXPECT_THAT(Refusal(messages), HasSubstr("got 20 bytes of the model, wanted 21"));
  messages[0].mutable_header()->set_model_bytes(19);
  EXPECT_THAT(Refusal(messages), HasSubstr("more model bytes than the 19"));
  messages = UploadMessages("m");
  messages[0].mutable_header()->set_calibration_samples(3);
  EXPECT_THAT(Refusal(messages), HasSubstr("got 2 calibration samples, wanted 3"));
  messages = UploadMessages("m");
  messages[0].mutable_header()->add_variants("int7");
  EXPECT_THAT(Refusal(messages),
              HasSubstr("unknown variant \"int7\", wanted some of fp32, fp16, hybrid, int8"));
  messages = UploadMessages("m");
  messages[2].mutable_samples()->mutable_tensors(0)->mutable_raw()->pop_back();
  EXPECT_THAT(Refusal(messages), HasSubstr("got 15 bytes, wanted 16"));
}

TEST_F(VariantsTest, UploadRefusesExternalDataOfBadForm) {
  const auto with = [](const std::string& location, int64_t file_bytes, const std::string& data) {
    auto messages = UploadMessages("m");
    UploadRequest message;
    message.mutable_external_data()->set_location(location);
    message.mutable_external_data()->set_file_bytes(file_bytes);
    message.mutable_external_data()->set_data(data);
    messages.insert(messages.begin() + 2, message);
    return messages;
  };
  EXPECT_THAT(Refusal(with("", 0, "x")), HasSubstr("name no file"));
  EXPECT_THAT(Refusal(with("../x", 0, "x")), HasSubstr("wanted a path below"));
  EXPECT_THAT(Refusal(with("/etc/passwd", 0, "x")), HasSubstr("wanted a path below"));
  EXPECT_THAT(Refusal(with("w", -1, "x")), HasSubstr("has -1 bytes"));
  EXPECT_THAT(Refusal(with("w", 2, "x")), HasSubstr("got 1 bytes of \"w\", wanted 2"));
  EXPECT_THAT(Refusal(with("w", 2, "xyz")), HasSubstr("than the 2 that were announced for \"w\""));
  auto messages = with("w", 0, "xyz");
  messages[0].mutable_header()->set_external_bytes(2);
  EXPECT_THAT(Refusal(messages), HasSubstr("than the 2 that were announced"));
  messages[0].mutable_header()->set_external_bytes(4);
  EXPECT_THAT(Refusal(messages), HasSubstr("got 3 bytes of external data, wanted 4"));
  messages[0].mutable_header()->set_external_bytes(-1);
  EXPECT_THAT(Refusal(messages), HasSubstr("negative"));
  messages = with("w", 0, "xyz");
  messages.insert(messages.begin() + 2, messages[2]);
  EXPECT_THAT(Refusal(messages), HasSubstr("came twice"));
  messages = with("w", 0, "xyz");
  std::swap(messages[1], messages[2]);
  EXPECT_THAT(Refusal(messages), HasSubstr("out of order"));
  messages = with("w", 0, "xyz");
  messages[0].mutable_header()->set_external_bytes(options_.upload_bytes_max - 19);
  messages[0].mutable_header()->set_model_bytes(20);
  EXPECT_THAT(Refusal(messages, grpc::StatusCode::RESOURCE_EXHAUSTED),
              HasSubstr("--max_upload_bytes"));
}

TEST_F(VariantsTest, ExternalDataReachesTheQuantizerUnderNamesOfOurs) {
  // A quantizer that shows what it was given.
  const std::string seen = good_.path() + "/seen";
  good_.Write("quantizer",
              "#!/bin/sh\nfor arg in \"$@\"; do case $arg in --external_data=*) "
              "folder=$(dirname ${arg#--external_data=});; --out=*) "
              "out=${arg#--out=};; esac; done\n"
              "cp -r $folder " +
                  seen + "\ncp " + good_.path() + "/made/* $out\n");
  auto messages = UploadMessages("m");
  UploadRequest first;
  first.mutable_external_data()->set_location("w.bin");
  first.mutable_external_data()->set_file_bytes(4);
  UploadRequest rest;
  rest.mutable_external_data()->set_data("ab");
  messages.insert(messages.begin() + 2, {first, rest, rest});
  fourfold::v1::UploadResponse response;
  ASSERT_TRUE(Upload(messages, &response).ok());
  EXPECT_EQ(WaitForEnd(response.job_id()).state(), fourfold::v1::JOB_STATE_DONE);
  EXPECT_EQ(base::ReadFile(seen + "/0").value_or(""), "abab");
  EXPECT_EQ(base::ReadFile(seen + "/files.json").value_or(""),
            R"({"files":[{"location":"w.bin","file":"0"}]})");
}

// Only the model tells whether it is quantized already.
TEST_F(VariantsTest, AnUploadWithoutSamplesIsLeftToTheQuantizer) {
  auto messages = UploadMessages("m");
  messages.erase(messages.begin() + 2);
  fourfold::v1::UploadResponse response;
  EXPECT_TRUE(Upload(messages, &response).ok());
  EXPECT_EQ(WaitForEnd(response.job_id()).state(), fourfold::v1::JOB_STATE_DONE);
}

TEST_F(VariantsTest, AnUploadThatBreaksOffLeavesNothing) {
  grpc::ClientContext context;
  fourfold::v1::UploadResponse response;
  const auto writer = variants_->Upload(&context, &response);
  const auto messages = UploadMessages("m");
  ASSERT_TRUE(writer->Write(messages[0]));
  ASSERT_TRUE(writer->Write(messages[1]));
  context.TryCancel();
  EXPECT_EQ(writer->Finish().error_code(), grpc::StatusCode::CANCELLED);
  Stop();  // waits for the call's end
  EXPECT_THAT(store_.Files(), IsEmpty());
}

TEST_F(VariantsTest, FailedJobsSayWhy) {
  const fourfold::v1::JobEvent event = Publish("bad");
  EXPECT_EQ(event.state(), fourfold::v1::JOB_STATE_FAILED);
  EXPECT_THAT(event.message(), HasSubstr("not an ONNX file"));
  EXPECT_THAT(store_.Files(), IsEmpty());
}

TEST_F(VariantsTest, JobsCanBeAskedForAndCancelled) {
  fourfold::v1::UploadResponse upload;
  ASSERT_TRUE(Upload(UploadMessages("slow"), &upload).ok());
  {
    grpc::ClientContext context;
    fourfold::v1::GetJobRequest request;
    request.set_job_id(upload.job_id());
    fourfold::v1::Job job;
    ASSERT_TRUE(variants_->GetJob(&context, request, &job).ok());
    EXPECT_EQ(job.model(), "slow");
    EXPECT_EQ(job.version(), 1);
  }
  {
    grpc::ClientContext context;
    fourfold::v1::ListJobsResponse jobs;
    ASSERT_TRUE(variants_->ListJobs(&context, {}, &jobs).ok());
    ASSERT_EQ(jobs.jobs_size(), 1);
    EXPECT_EQ(jobs.jobs(0).job_id(), upload.job_id());
  }
  fourfold::v1::CancelJobRequest request;
  request.set_job_id(upload.job_id());
  {
    grpc::ClientContext context;
    fourfold::v1::Job job;
    ASSERT_TRUE(variants_->CancelJob(&context, request, &job).ok());
  }
  EXPECT_EQ(WaitForEnd(upload.job_id()).state(), fourfold::v1::JOB_STATE_CANCELLED);
  EXPECT_THAT(store_.Files(), IsEmpty());
  grpc::ClientContext context;
  fourfold::v1::Job job;
  EXPECT_EQ(variants_->CancelJob(&context, request, &job).error_code(),
            grpc::StatusCode::FAILED_PRECONDITION);
}

TEST_F(VariantsTest, UnknownJobsAndModelsAreNotFound) {
  fourfold::v1::WatchJobRequest watch;
  watch.set_job_id("none");
  grpc::ClientContext context;
  const auto reader = variants_->WatchJob(&context, watch);
  fourfold::v1::JobEvent event;
  EXPECT_FALSE(reader->Read(&event));
  EXPECT_EQ(reader->Finish().error_code(), grpc::StatusCode::NOT_FOUND);
  const auto code = [](const grpc::Status& status) { return status.error_code(); };
  grpc::ClientContext c1, c2, c3, c4;
  fourfold::v1::Job job;
  fourfold::v1::GetJobRequest get;
  EXPECT_EQ(code(variants_->GetJob(&c1, get, &job)), grpc::StatusCode::NOT_FOUND);
  fourfold::v1::DescribeModelRequest describe;
  describe.set_model("none");
  fourfold::v1::DescribeModelResponse description;
  EXPECT_EQ(code(variants_->DescribeModel(&c2, describe, &description)),
            grpc::StatusCode::NOT_FOUND);
  fourfold::v1::CompareVariantsRequest compare;
  compare.set_model("none");
  fourfold::v1::Comparison comparison;
  EXPECT_EQ(code(variants_->CompareVariants(&c3, compare, &comparison)),
            grpc::StatusCode::NOT_FOUND);
  fourfold::v1::DeleteModelRequest remove;
  remove.set_model("none");
  fourfold::v1::DeleteModelResponse removed;
  EXPECT_EQ(code(variants_->DeleteModel(&c4, remove, &removed)), grpc::StatusCode::NOT_FOUND);
}

TEST_F(VariantsTest, DescribesAndComparesAndDownloads) {
  Publish("m");
  fourfold::v1::DescribeModelRequest describe;
  describe.set_model("m");
  fourfold::v1::DescribeModelResponse description;
  {
    grpc::ClientContext context;
    ASSERT_TRUE(variants_->DescribeModel(&context, describe, &description).ok());
  }
  EXPECT_EQ(description.version(), 1);
  EXPECT_EQ(description.inputs(0).name(), "x");
  ASSERT_EQ(description.variants_size(), 2);
  EXPECT_EQ(description.variants(1).file(), "int8.onnx");

  fourfold::v1::CompareVariantsRequest compare;
  compare.set_model("m");
  fourfold::v1::Comparison comparison;
  {
    grpc::ClientContext context;
    ASSERT_TRUE(variants_->CompareVariants(&context, compare, &comparison).ok());
  }
  EXPECT_EQ(comparison.model(), "m");
  ASSERT_EQ(comparison.variants_size(), 2);
  EXPECT_DOUBLE_EQ(comparison.variants(1).latency().p50_ms(), 9);
  EXPECT_DOUBLE_EQ(comparison.variants(1).accuracy().labelled().top1(), 0.89);
  EXPECT_TRUE(comparison.variants(1).is_default());

  fourfold::v1::DownloadVariantRequest download;
  download.set_model("m");
  download.set_variant("int8");
  grpc::ClientContext context;
  const auto reader = variants_->DownloadVariant(&context, download);
  fourfold::v1::DownloadVariantResponse message;
  ASSERT_TRUE(reader->Read(&message));
  const fourfold::v1::DownloadHeader header = message.header();
  std::string bytes;
  while (reader->Read(&message)) bytes += message.chunk();
  ASSERT_TRUE(reader->Finish().ok());
  EXPECT_EQ(bytes, testing::AddModel(2));
  EXPECT_EQ(header.sha256(), base::Sha256Hex(std::as_bytes(std::span(bytes))));
  EXPECT_EQ(header.sha256(), description.variants(1).sha256());
}

TEST_F(VariantsTest, DownloadsBothFilesOfALargeVariant) {
  const std::string data = "weights that the model does not use";
  good_.Write("made/int8.onnx.data", data);
  Publish("m");
  EXPECT_THAT(store_.Files(), ElementsAre("m/1/fp32.onnx", "m/1/int8.onnx", "m/1/int8.onnx.data",
                                          "m/1/manifest.json"));
  fourfold::v1::DownloadVariantRequest download;
  download.set_model("m");
  download.set_variant("int8");
  grpc::ClientContext context;
  const auto reader = variants_->DownloadVariant(&context, download);
  std::vector<fourfold::v1::DownloadHeader> headers;
  std::vector<std::string> bytes;
  for (fourfold::v1::DownloadVariantResponse message; reader->Read(&message);) {
    if (message.has_header()) {
      headers.push_back(message.header());
      bytes.emplace_back();
    } else {
      ASSERT_FALSE(bytes.empty());
      bytes.back() += message.chunk();
    }
  }
  ASSERT_TRUE(reader->Finish().ok());
  ASSERT_EQ(headers.size(), 2u);
  EXPECT_THAT(bytes, ElementsAre(testing::AddModel(2), data));
  EXPECT_EQ(headers[0].location(), "");
  EXPECT_EQ(headers[0].total_bytes(), static_cast<int64_t>(bytes[0].size() + bytes[1].size()));
  EXPECT_EQ(headers[1].location(), "int8.onnx.data");
  EXPECT_EQ(headers[1].sha256(), base::Sha256Hex(std::as_bytes(std::span(data))));

  fourfold::v1::DescribeModelRequest describe;
  describe.set_model("m");
  fourfold::v1::DescribeModelResponse description;
  grpc::ClientContext second;
  ASSERT_TRUE(variants_->DescribeModel(&second, describe, &description).ok());
  EXPECT_EQ(description.variants(0).data_file(), "");
  EXPECT_EQ(description.variants(1).data_file(), "int8.onnx.data");
  EXPECT_EQ(description.variants(1).data_bytes(), static_cast<int64_t>(data.size()));
  EXPECT_EQ(description.variants(1).data_sha256(), headers[1].sha256());
}

TEST_F(VariantsTest, DeletesOneVersionOrAll) {
  Publish("m");
  Publish("m");
  Publish("m");
  const auto remove = [&](int64_t version) {
    grpc::ClientContext context;
    fourfold::v1::DeleteModelRequest request;
    request.set_model("m");
    request.set_version(version);
    fourfold::v1::DeleteModelResponse response;
    EXPECT_TRUE(variants_->DeleteModel(&context, request, &response).ok());
    return std::vector<int64_t>(response.versions().begin(), response.versions().end());
  };
  EXPECT_THAT(remove(2), ElementsAre(2));
  EXPECT_THAT(remove(0), ElementsAre(1, 3));
  EXPECT_THAT(store_.Files(), IsEmpty());
  inference::ModelInferResponse response;
  EXPECT_EQ(Infer(Request("m", {1, 2}), &response).error_code(), grpc::StatusCode::NOT_FOUND);
}

}  // namespace
}  // namespace fourfold
