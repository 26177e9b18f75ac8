#include "server/publish/publisher.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <map>

#include "absl/strings/str_cat.h"
#include "server/base/file.h"
#include "tests/testing/small_model.h"
#include "tests/testing/temporary_directory.h"

namespace fourfold::publish {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// A publisher whose quantizer is a shell script. $OUT is the job's output directory, $GOOD one that
// holds what a quantizer makes.
class PublisherTest : public ::testing::Test {
 protected:
  void Start(const std::string& script) {
    good_.Write("fp32.onnx", testing::AddModel(1));
    good_.Write("int8.onnx", testing::AddModel(2));
    good_.Write("report.json", report::ToJson(testing::ReportOf({"fp32", "int8"})));
    const std::string path = scripts_.Write(
        "quantizer",
        absl::StrCat(
            "#!/bin/sh\nGOOD=", good_.path(),
            "\nfor arg in \"$@\"; do case $arg in --out=*) OUT=${arg#--out=};; esac; done\n",
            script, "\n"));
    ASSERT_EQ(chmod(path.c_str(), 0755), 0);
    options_.quantizer.program = path;
    store::StoreOptions store_options;
    store_options.root = directory_.path();
    store_ = *store::ModelStore::Open(store_options);
    publisher_ =
        std::make_unique<Publisher>(PublisherParts{*store_, registry_, metrics_}, options_);
  }

  Job Upload(const std::string& id, const std::string& model) {
    auto place = publisher_->Admit();
    EXPECT_TRUE(place.ok()) << place.status();
    auto staging = *store_->Stage(id, model);
    EXPECT_TRUE(staging->AppendModel("the model").ok());
    EXPECT_TRUE(staging->Seal().ok());
    return *publisher_->Start(*std::move(place), id, std::move(staging), {"fp32", "int8"});
  }

  // What a watcher saw, in the order of sequence, when the job is in a state that `enough` accepts.
  struct Log {
    absl::Mutex mutex;
    std::map<int64_t, Job> events ABSL_GUARDED_BY(mutex);
  };
  Job WaitUntil(const std::string& id, const std::function<bool(const Job&)>& enough) {
    auto log = std::make_shared<Log>();
    watches_.push_back(*publisher_->Watch(id, [log](const Job& job) {
      absl::MutexLock lock(&log->mutex);
      log->events[job.sequence] = job;
    }));
    logs_[id] = log;
    absl::MutexLock lock(&log->mutex);
    const auto ready = [&]() ABSL_NO_THREAD_SAFETY_ANALYSIS {
      return !log->events.empty() && enough(log->events.rbegin()->second);
    };
    EXPECT_TRUE(log->mutex.AwaitWithTimeout(absl::Condition(&ready), absl::Minutes(2)));
    return log->events.rbegin()->second;
  }
  Job WaitForEnd(const std::string& id) {
    return WaitUntil(id, [](const Job& job) { return IsFinal(job.state); });
  }

  testing::TemporaryDirectory directory_;
  testing::TemporaryDirectory scripts_;
  testing::TemporaryDirectory good_;
  PublisherOptions options_;
  telemetry::Metrics metrics_;
  registry::ModelRegistry registry_;
  std::unique_ptr<store::ModelStore> store_;
  std::unique_ptr<Publisher> publisher_;
  std::vector<std::shared_ptr<const Publisher::Watcher>> watches_;
  std::map<std::string, std::shared_ptr<Log>> logs_;
};

TEST_F(PublisherTest, PublishesWhatTheQuantizerMakes) {
  Start(
      R"(cp $GOOD/* $OUT; echo "$@" > $GOOD/args; echo '{"stage": "calibrate", "percent": 50}' >&3)");
  const Job queued = Upload("job", "m");
  EXPECT_EQ(queued.version, 1);
  const Job job = WaitForEnd("job");
  EXPECT_EQ(job.state, JobState::kDone) << job.message;
  EXPECT_THAT(directory_.Files(),
              ElementsAre("m/1/fp32.onnx", "m/1/int8.onnx", "m/1/manifest.json"));
  EXPECT_EQ((*registry_.Find("m", 1))->variants.size(), 2u);
  EXPECT_THAT(metrics_.Text(), HasSubstr(R"(fourfold_jobs_ended_total{outcome="done"} 1)"));
  const std::string args = *base::ReadFile(good_.path() + "/args");
  EXPECT_THAT(args, HasSubstr("--name=m --progress_fd=3 --threads=1 --max_inline_bytes=1073741824 "
                              "--variants=fp32,int8"));
  EXPECT_EQ(publisher_->Cancel("job").status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(PublisherTest, FailsWithWhatTheQuantizerReports) {
  Start(R"(echo '{"error": {"code": "UNIMPLEMENTED", "message": "operator Foo"}}' >&3; exit 1)");
  Upload("job", "m");
  const Job job = WaitForEnd("job");
  EXPECT_EQ(job.state, JobState::kFailed);
  EXPECT_EQ(job.status, absl::UnimplementedError("operator Foo"));
  EXPECT_THAT(directory_.Files(), IsEmpty());
  EXPECT_EQ(registry_.Find("m", 0).status().code(), absl::StatusCode::kNotFound);
}

TEST_F(PublisherTest, NamesTheSignalOfAChildThatDied) {
  Start("kill -SEGV $$");
  Upload("job", "m");
  const Job job = WaitForEnd("job");
  EXPECT_EQ(job.status.code(), absl::StatusCode::kInternal);
  EXPECT_THAT(job.message, HasSubstr("signal 11"));
}

TEST_F(PublisherTest, FailsWithoutAUsableReport) {
  Start("cp $GOOD/*.onnx $OUT");
  Upload("none", "m");
  EXPECT_THAT(WaitForEnd("none").message, HasSubstr("no report"));
}

TEST_F(PublisherTest, KeepsNothingOfAModelThatCannotBeLoaded) {
  Start("cp $GOOD/* $OUT; echo damaged > $OUT/int8.onnx");
  Upload("job", "m");
  const Job job = WaitForEnd("job");
  EXPECT_EQ(job.state, JobState::kFailed);
  EXPECT_THAT(job.message, HasSubstr("int8"));
  EXPECT_THAT(directory_.Files(), IsEmpty());
}

TEST_F(PublisherTest, CancelKillsTheRunningChild) {
  Start(R"(echo '{"stage": "measure", "percent": 1}' >&3; sleep 1000)");
  Upload("job", "m");
  WaitUntil("job", [](const Job& job) { return job.stage == "measure"; });
  ASSERT_TRUE(publisher_->Cancel("job").ok());
  EXPECT_EQ(WaitForEnd("job").state, JobState::kCancelled);
  EXPECT_THAT(directory_.Files(), IsEmpty());
}

TEST_F(PublisherTest, CancelsAQueuedJobAtOnceAndBoundsTheNumberUnderWay) {
  options_.jobs_max = 2;
  Start(R"(echo '{"stage": "measure", "percent": 1}' >&3; sleep 1000)");
  Upload("running", "m");
  WaitUntil("running", [](const Job& job) { return job.stage == "measure"; });
  Upload("queued", "m");
  EXPECT_EQ(publisher_->Admit().status().code(), absl::StatusCode::kResourceExhausted);
  const auto cancelled = publisher_->Cancel("queued");
  ASSERT_TRUE(cancelled.ok());
  EXPECT_EQ(cancelled->state, JobState::kCancelled);
  EXPECT_TRUE(publisher_->Admit().ok());
  EXPECT_EQ(publisher_->List().front().id, "queued") << "newest first";
}

TEST_F(PublisherTest, StopCancelsEverythingAndAdmitsNoMore) {
  Start("sleep 1000");
  Upload("one", "m");
  Upload("two", "m");
  publisher_->Stop();
  EXPECT_EQ(publisher_->Get("one")->state, JobState::kCancelled);
  EXPECT_EQ(publisher_->Get("two")->state, JobState::kCancelled);
  EXPECT_EQ(publisher_->Admit().status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(directory_.Files(), IsEmpty());
}

TEST_F(PublisherTest, EndsAJobThatTakesTooLong) {
  options_.quantizer.time_max = absl::Milliseconds(50);
  Start("sleep 1000");
  Upload("job", "m");
  EXPECT_EQ(WaitForEnd("job").status.code(), absl::StatusCode::kDeadlineExceeded);
}

TEST_F(PublisherTest, ForgetsOldJobs) {
  options_.jobs_kept = 1;
  Start("exit 1");
  Upload("one", "m");
  WaitForEnd("one");
  Upload("two", "m");
  WaitForEnd("two");
  Upload("three", "m");
  WaitForEnd("three");
  EXPECT_EQ(publisher_->Get("one").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(publisher_->Cancel("one").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(publisher_->Watch("one", [](const Job&) {}).status().code(),
            absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace fourfold::publish
