#include "server/store/model_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "absl/strings/match.h"
#include "server/base/file.h"
#include "tests/testing/fake_clock.h"
#include "tests/testing/temporary_directory.h"

namespace fourfold::store {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// A disk that is full after a number of bytes, or for files of a name.
class FullDisk final : public base::FileSystem {
 public:
  int64_t room = INT64_MAX;
  std::string full_for = "none";

  absl::StatusOr<std::unique_ptr<base::WritableFile>> Create(const std::string& path) override {
    if (absl::StrContains(path, full_for)) return Full();
    auto file = base::RealFileSystem().Create(path);
    if (!file.ok()) return file.status();
    return std::make_unique<File>(*this, *std::move(file));
  }
  absl::Status MakeDirectory(const std::string& path) override {
    return base::RealFileSystem().MakeDirectory(path);
  }
  absl::Status Rename(const std::string& from, const std::string& to) override {
    return base::RealFileSystem().Rename(from, to);
  }
  absl::Status Sync(const std::string& path) override { return base::RealFileSystem().Sync(path); }

 private:
  static absl::Status Full() { return base::ErrnoStatus(ENOSPC, "cannot write"); }

  class File final : public base::WritableFile {
   public:
    File(FullDisk& disk, std::unique_ptr<base::WritableFile> file)
        : disk_(disk), file_(std::move(file)) {}
    absl::Status Append(absl::string_view bytes) override {
      disk_.room -= static_cast<int64_t>(bytes.size());
      return disk_.room < 0 ? Full() : file_->Append(bytes);
    }
    absl::Status Overwrite(int64_t offset, absl::string_view bytes) override {
      return file_->Overwrite(offset, bytes);
    }
    absl::Status Sync() override { return file_->Sync(); }

   private:
    FullDisk& disk_;
    std::unique_ptr<base::WritableFile> file_;
  };
};

class ModelStoreTest : public ::testing::Test {
 protected:
  std::unique_ptr<ModelStore> Open() {
    StoreOptions options;
    options.root = directory_.path();
    options.upload = limits_;
    options.files = &disk_;
    options.clock = &clock_;
    auto store = ModelStore::Open(options);
    EXPECT_TRUE(store.ok()) << store.status();
    return *std::move(store);
  }

  // A sealed upload whose quantizer wrote a.onnx.
  std::unique_ptr<Staging> Staged(ModelStore& store, const std::string& job,
                                  const std::string& model) {
    auto staging = store.Stage(job, model);
    EXPECT_TRUE(staging.ok()) << staging.status();
    EXPECT_TRUE((*staging)->AppendModel("model").ok());
    EXPECT_TRUE((*staging)->Seal().ok());
    directory_.Write(".staging/" + job + "/out/a.onnx", "bytes of a");
    return *std::move(staging);
  }

  testing::TemporaryDirectory directory_;
  UploadLimits limits_;
  FullDisk disk_;
  testing::FakeClock clock_;
};

TEST_F(ModelStoreTest, IsKeptForOneServerAndItsUploadsSafe) {
  const auto store = Open();
  const auto staging = Staged(*store, "job", "m");
  StoreOptions options;
  options.root = directory_.path();
  const absl::Status second = ModelStore::Open(options).status();
  EXPECT_EQ(second.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(second.message()), HasSubstr("in use by another server"));
  EXPECT_TRUE(store->Commit(*staging, {"a.onnx"}, "{}").ok());
}

TEST_F(ModelStoreTest, CommitsAVersionAndReadsItBack) {
  auto store = Open();
  {
    const auto staging = Staged(*store, "job", "m");
    const auto manifest = store->Commit(*staging, {"a.onnx"}, R"({"model": "?", "variants": []})");
    ASSERT_TRUE(manifest.ok()) << manifest.status();
    EXPECT_EQ(manifest->version, 1);
  }
  EXPECT_THAT(directory_.Files(), ElementsAre("m/1/a.onnx", "m/1/manifest.json"));
  store.reset();
  store = Open();
  const auto manifest = store->ReadManifest("m", 1);
  ASSERT_TRUE(manifest.ok()) << manifest.status();
  EXPECT_EQ(manifest->created_unix_ms, 1'700'000'000'000);
  const auto mapped = store->MapFile(*manifest, "a.onnx");
  ASSERT_TRUE(mapped.ok()) << mapped.status();
  EXPECT_EQ(
      std::string(reinterpret_cast<const char*>(mapped->bytes().data()), mapped->bytes().size()),
      "bytes of a");
  EXPECT_EQ(store->MapFile(*manifest, "b.onnx").status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(manifest->report_json, HasSubstr("\"model\": \"m\""));
  EXPECT_THAT(manifest->report_json, HasSubstr("\"version\": 1"));
}

TEST_F(ModelStoreTest, NumbersVersionsUpwardAndReservesThemWhileStaged) {
  const auto store = Open();
  auto first = Staged(*store, "one", "m");
  const auto second = Staged(*store, "two", "m");
  EXPECT_EQ(first->version(), 1);
  EXPECT_EQ(second->version(), 2);
  ASSERT_TRUE(store->Commit(*second, {"a.onnx"}, "{}").ok());
  first.reset();
  EXPECT_EQ(Staged(*store, "three", "m")->version(), 3);
  EXPECT_EQ(Staged(*store, "four", "other")->version(), 1);
}

TEST_F(ModelStoreTest, SaysWhenAFileHasChanged) {
  const auto store = Open();
  const auto manifest = store->Commit(*Staged(*store, "job", "m"), {"a.onnx"}, "{}");
  ASSERT_TRUE(manifest.ok());
  directory_.Write("m/1/a.onnx", "bytes of b");
  EXPECT_EQ(store->MapFile(*manifest, "a.onnx").status().code(), absl::StatusCode::kDataLoss);
  directory_.Write("m/1/a.onnx", "short");
  EXPECT_EQ(store->MapFile(*manifest, "a.onnx").status().code(), absl::StatusCode::kDataLoss);
  std::filesystem::remove(directory_.path() + "/m/1/a.onnx");
  EXPECT_EQ(store->MapFile(*manifest, "a.onnx").status().code(), absl::StatusCode::kDataLoss);
  directory_.Write("m/1/manifest.json", "{");
  EXPECT_EQ(store->ReadManifest("m", 1).status().code(), absl::StatusCode::kDataLoss);
}

TEST_F(ModelStoreTest, SweepsWhatACrashLeftAndNothingElse) {
  {
    const auto store = Open();
    ASSERT_TRUE(store->Commit(*Staged(*store, "job", "m"), {"a.onnx"}, "{}").ok());
  }
  directory_.Write(".staging/dead/model.onnx", "half");
  directory_.Write("m/2/a.onnx", "no manifest");
  directory_.Write("n/1/a.onnx", "no manifest");
  directory_.Write("m/notes.txt", "not ours");
  const auto store = Open();
  EXPECT_THAT(directory_.Files(), ElementsAre("m/1/a.onnx", "m/1/manifest.json", "m/notes.txt"));
  EXPECT_FALSE(std::filesystem::exists(directory_.path() + "/n"));
  EXPECT_EQ(store->List()->size(), 1u);
}

TEST_F(ModelStoreTest, DeletesAVersion) {
  const auto store = Open();
  ASSERT_TRUE(store->Commit(*Staged(*store, "job", "m"), {"a.onnx"}, "{}").ok());
  ASSERT_TRUE(store->Delete("m", 1).ok());
  EXPECT_THAT(directory_.Files(), IsEmpty());
  EXPECT_FALSE(std::filesystem::exists(directory_.path() + "/m"));
  EXPECT_EQ(store->Delete("m", 1).code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(store->ReadManifest("m", 1).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(store->Delete("../m", 1).code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(ModelStoreTest, LeavesNothingWhenTheDiskIsFullWhileReceiving) {
  const auto store = Open();
  disk_.room = 100;
  {
    auto staging = store->Stage("job", "m");
    ASSERT_TRUE(staging.ok());
    EXPECT_TRUE((*staging)->AppendModel(std::string(100, 'x')).ok());
    EXPECT_EQ((*staging)->AppendModel("y").code(), absl::StatusCode::kResourceExhausted);
  }
  EXPECT_THAT(directory_.Files(), IsEmpty());
}

TEST_F(ModelStoreTest, LeavesNothingWhenTheDiskIsFullWhileCommitting) {
  const auto store = Open();
  {
    const auto staging = Staged(*store, "job", "m");
    disk_.full_for = "manifest.json";
    EXPECT_EQ(store->Commit(*staging, {"a.onnx"}, "{}").status().code(),
              absl::StatusCode::kResourceExhausted);
  }
  EXPECT_THAT(directory_.Files(), IsEmpty());
  EXPECT_FALSE(std::filesystem::exists(directory_.path() + "/m"));
}

TEST_F(ModelStoreTest, CommitNeedsEveryFileAndAReport) {
  const auto store = Open();
  EXPECT_FALSE(store->Commit(*Staged(*store, "job", "m"), {"missing.onnx"}, "{}").ok());
  EXPECT_FALSE(store->Commit(*Staged(*store, "job2", "m"), {"a.onnx"}, "no json").ok());
  EXPECT_THAT(directory_.Files(), IsEmpty());
}

TEST_F(ModelStoreTest, LimitsUploadsAtTheLimitAndNotBefore) {
  limits_.upload_bytes_max = 10;
  const auto store = Open();
  auto staging = store->Stage("job", "m");
  ASSERT_TRUE(staging.ok());
  EXPECT_TRUE((*staging)->AppendModel(std::string(10, 'x')).ok());
  const absl::Status over = (*staging)->AppendModel("y");
  EXPECT_EQ(over.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(over.message()), HasSubstr("10 bytes"));
}

TEST_F(ModelStoreTest, SaysBeforehandWhatWouldBeOverTheLimit) {
  limits_.upload_bytes_max = 10;
  const auto store = Open();
  auto staging = store->Stage("job", "m");
  ASSERT_TRUE(staging.ok());
  EXPECT_TRUE((*staging)->AppendModel("xyz").ok());
  EXPECT_TRUE((*staging)->Expect(7).ok());
  EXPECT_EQ((*staging)->Expect(8).code(), absl::StatusCode::kResourceExhausted);
}

TEST_F(ModelStoreTest, StoresExternalDataUnderNamesOfItsOwn) {
  const auto store = Open();
  auto staging = store->Stage("job", "m");
  ASSERT_TRUE(staging.ok());
  EXPECT_TRUE((*staging)->AppendModel("model").ok());
  EXPECT_EQ((*staging)->external_listing(), std::nullopt);
  ASSERT_TRUE((*staging)->BeginExternal("weights/a \"b\".bin").ok());
  EXPECT_TRUE((*staging)->AppendExternal("first").ok());
  EXPECT_TRUE((*staging)->AppendExternal(" file").ok());
  ASSERT_TRUE((*staging)->BeginExternal("empty").ok());
  ASSERT_TRUE((*staging)->Seal().ok());
  EXPECT_EQ((*staging)->external_bytes(), 10);
  EXPECT_EQ((*staging)->bytes(), 15);
  const std::string folder = directory_.path() + "/.staging/job/external/";
  EXPECT_EQ((*staging)->external_listing(), folder + "files.json");
  EXPECT_EQ(base::ReadFile(folder + "0").value(), "first file");
  EXPECT_EQ(base::ReadFile(folder + "1").value(), "");
  EXPECT_EQ(base::ReadFile(folder + "files.json").value(),
            R"({"files":[{"location":"weights/a \"b\".bin","file":"0"},)"
            R"({"location":"empty","file":"1"}]})");
  staging->reset();
  EXPECT_THAT(directory_.Files(), IsEmpty());
}

TEST_F(ModelStoreTest, RefusesNamesOfExternalDataThatLeadElsewhereOrComeTwice) {
  const auto store = Open();
  auto staging = store->Stage("job", "m");
  ASSERT_TRUE(staging.ok());
  EXPECT_EQ((*staging)->AppendExternal("x").code(), absl::StatusCode::kInvalidArgument);
  for (const char* name : {"", "../w", "/w", "a/../../w"}) {
    EXPECT_EQ((*staging)->BeginExternal(name).code(), absl::StatusCode::kInvalidArgument) << name;
  }
  EXPECT_TRUE((*staging)->BeginExternal("w").ok());
  EXPECT_EQ((*staging)->BeginExternal("w").code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(ModelStoreTest, LimitsExternalDataAtTheLimitAndNotBefore) {
  limits_.upload_bytes_max = 10;
  limits_.external_files_max = 2;
  const auto store = Open();
  auto staging = store->Stage("job", "m");
  ASSERT_TRUE(staging.ok());
  EXPECT_TRUE((*staging)->AppendModel("12345").ok());
  EXPECT_TRUE((*staging)->BeginExternal("a").ok());
  EXPECT_TRUE((*staging)->BeginExternal("b").ok());
  EXPECT_TRUE((*staging)->AppendExternal("67890").ok());
  EXPECT_EQ((*staging)->AppendExternal("x").code(), absl::StatusCode::kResourceExhausted);
  const absl::Status third = (*staging)->BeginExternal("c");
  EXPECT_EQ(third.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(third.message()), HasSubstr("more than 2 files"));
}

TEST_F(ModelStoreTest, AnEmptyModelIsRefused) {
  const auto store = Open();
  auto staging = store->Stage("job", "m");
  ASSERT_TRUE(staging.ok());
  EXPECT_EQ((*staging)->Seal().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(store->Stage("job2", "../x").status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace fourfold::store
