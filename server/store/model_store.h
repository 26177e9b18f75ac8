#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "server/base/clock.h"
#include "server/base/file.h"
#include "server/base/file_system.h"
#include "server/store/manifest.h"
#include "server/store/staging.h"

namespace fourfold::store {

struct StoreOptions {
  std::string root;  // created if it is not there
  UploadLimits upload;
  base::FileSystem* files = &base::RealFileSystem();  // outlives the store
  const base::Clock* clock = &base::SystemClock();    // outlives the store
};

// One version in the store.
struct StoredVersion {
  std::string model;
  int64_t version = 0;
};

// Models as files: <root>/<model>/<version>/ with manifest.json written last. Knows bytes, not what
// they mean. Thread-safe; outlives its Stagings.
class ModelStore {
 public:
  // Opens the directory and removes what a crash left: staged uploads and versions without
  // manifest.
  static absl::StatusOr<std::unique_ptr<ModelStore>> Open(StoreOptions options);

  // A directory for one upload, with the model's next version number. `job` is a unique name of
  // ours. INVALID_ARGUMENT for a bad model name, RESOURCE_EXHAUSTED if the disk is full.
  absl::StatusOr<std::unique_ptr<Staging>> Stage(const std::string& job, const std::string& model);

  // Moves `files` (names in staging's output directory) into the staged version's directory and
  // writes the manifest. After a failure nothing is left of the version.
  absl::StatusOr<Manifest> Commit(const Staging& staging, const std::vector<std::string>& files,
                                  const std::string& report_json);

  // All versions, by name and number.
  absl::StatusOr<std::vector<StoredVersion>> List() const;

  // NOT_FOUND, or DATA_LOSS if it cannot be read as one.
  absl::StatusOr<Manifest> ReadManifest(const std::string& model, int64_t version) const;

  // A file, checked and then mapped. NOT_FOUND if the manifest has none of that name, DATA_LOSS if
  // its size or SHA-256 are not the manifest's.
  absl::StatusOr<base::MappedFile> MapFile(const Manifest& manifest, const std::string& name) const;

  std::string FilePath(const Manifest& manifest, const std::string& name) const;

  // The manifest goes first, so that a crash leaves no half version. NOT_FOUND.
  absl::Status Delete(const std::string& model, int64_t version);

 private:
  explicit ModelStore(StoreOptions options) : options_(std::move(options)) {}

  std::string ModelDirectory(const std::string& model) const;
  std::string VersionDirectory(const std::string& model, int64_t version) const;
  absl::Status Sweep();
  absl::StatusOr<std::vector<int64_t>> Versions(const std::string& model) const;
  absl::Status MoveIntoPlace(const Staging& staging, Manifest& manifest,
                             const std::vector<std::string>& files);

  const StoreOptions options_;
  base::DirectoryLock lock_;  // of options_.root, from Open on

  absl::Mutex mutex_;
  // Version numbers of uploads that are not committed yet.
  std::map<std::string, std::set<int64_t>> reserved_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace fourfold::store
