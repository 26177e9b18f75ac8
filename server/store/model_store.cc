#include "server/store/model_store.h"

#include <unistd.h>

#include <algorithm>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "server/base/file.h"
#include "server/base/log.h"
#include "server/base/sha256.h"
#include "server/base/status_macros.h"
#include "server/store/model_name.h"

namespace fourfold::store {
namespace {

constexpr char kStaging[] = ".staging";
constexpr char kManifest[] = "manifest.json";

// The version a directory name stands for; 0 for none.
int64_t VersionOf(const std::string& name) {
  int64_t version = 0;
  if (!absl::SimpleAtoi(name, &version) || version < 1 || absl::StrCat(version) != name) return 0;
  return version;
}

}  // namespace

absl::StatusOr<std::unique_ptr<ModelStore>> ModelStore::Open(StoreOptions options) {
  if (options.root.empty())
    return absl::InvalidArgumentError("model store: wanted a directory, got none");
  std::unique_ptr<ModelStore> store(new ModelStore(std::move(options)));
  RETURN_IF_ERROR(base::MakeDirectories(store->options_.root));
  ASSIGN_OR_RETURN(store->lock_, base::DirectoryLock::Take(store->options_.root));
  RETURN_IF_ERROR(store->Sweep());
  return store;
}

std::string ModelStore::ModelDirectory(const std::string& model) const {
  return absl::StrCat(options_.root, "/", model);
}

std::string ModelStore::VersionDirectory(const std::string& model, int64_t version) const {
  return absl::StrCat(options_.root, "/", model, "/", version);
}

absl::Status ModelStore::Sweep() {
  RETURN_IF_ERROR(base::RemoveTree(absl::StrCat(options_.root, "/", kStaging)));
  RETURN_IF_ERROR(base::MakeDirectories(absl::StrCat(options_.root, "/", kStaging)));
  ASSIGN_OR_RETURN(const std::vector<std::string> models, base::ListDirectory(options_.root));
  for (const std::string& model : models) {
    if (!CheckModelName(model).ok()) continue;
    const auto entries = base::ListDirectory(ModelDirectory(model));
    if (!entries.ok()) continue;  // not a directory: not ours
    for (const std::string& entry : *entries) {
      const int64_t version = VersionOf(entry);
      if (version == 0) continue;
      const std::string directory = VersionDirectory(model, version);
      if (base::Exists(absl::StrCat(directory, "/", kManifest))) continue;
      base::LogWarning("store.swept", {{"directory", directory}});
      RETURN_IF_ERROR(base::RemoveTree(directory));
    }
    rmdir(ModelDirectory(model).c_str());  // if it is empty
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<int64_t>> ModelStore::Versions(const std::string& model) const {
  std::vector<int64_t> versions;
  auto entries = base::ListDirectory(ModelDirectory(model));
  if (absl::IsNotFound(entries.status())) return versions;
  RETURN_IF_ERROR(entries.status());
  for (const std::string& entry : *entries) {
    if (const int64_t version = VersionOf(entry); version != 0) versions.push_back(version);
  }
  std::sort(versions.begin(), versions.end());
  return versions;
}

absl::StatusOr<std::unique_ptr<Staging>> ModelStore::Stage(const std::string& job,
                                                           const std::string& model) {
  RETURN_IF_ERROR(CheckModelName(model));
  ASSIGN_OR_RETURN(const std::vector<int64_t> versions, Versions(model));
  const std::string directory = absl::StrCat(options_.root, "/", kStaging, "/", job);
  RETURN_IF_ERROR(options_.files->MakeDirectory(directory));
  int64_t version = versions.empty() ? 1 : versions.back() + 1;
  {
    absl::MutexLock lock(&mutex_);
    std::set<int64_t>& reserved = reserved_[model];
    if (!reserved.empty()) version = std::max(version, *reserved.rbegin() + 1);
    reserved.insert(version);
  }
  const auto release = [this, model, version] {
    absl::MutexLock lock(&mutex_);
    std::set<int64_t>& reserved = reserved_[model];
    reserved.erase(version);
    if (reserved.empty()) reserved_.erase(model);
  };
  return std::unique_ptr<Staging>(
      new Staging(*options_.files, directory, model, version, options_.upload, release));
}

absl::StatusOr<Manifest> ModelStore::Commit(const Staging& staging,
                                            const std::vector<std::string>& files,
                                            const std::string& report_json) {
  Manifest manifest;
  manifest.model = staging.model();
  manifest.version = staging.version();
  manifest.created_unix_ms = absl::ToUnixMillis(options_.clock->Now());
  manifest.report_json = report_json;
  const std::string directory = VersionDirectory(manifest.model, manifest.version);
  const absl::Status made = options_.files->MakeDirectory(ModelDirectory(manifest.model));
  if (!made.ok() && !absl::IsAlreadyExists(made)) return made;
  absl::Status status = options_.files->MakeDirectory(directory);
  if (status.ok()) {
    status = MoveIntoPlace(staging, manifest, files);
    if (!status.ok()) {
      const absl::Status removed = base::RemoveTree(directory);
      if (!removed.ok()) base::LogError("store.version_left", {{"error", removed}});
    }
  }
  if (!status.ok()) {
    rmdir(ModelDirectory(manifest.model).c_str());  // if it is empty
    return status;
  }
  return manifest;
}

absl::Status ModelStore::MoveIntoPlace(const Staging& staging, Manifest& manifest,
                                       const std::vector<std::string>& files) {
  base::FileSystem& disk = *options_.files;
  const std::string directory = VersionDirectory(manifest.model, manifest.version);
  for (const std::string& name : files) {
    const std::string staged = absl::StrCat(staging.output_directory(), "/", name);
    ASSIGN_OR_RETURN(const base::FileDigest digest, base::DigestFile(staged));
    RETURN_IF_ERROR(disk.Sync(staged));
    RETURN_IF_ERROR(disk.Rename(staged, absl::StrCat(directory, "/", name)));
    manifest.files.push_back({name, digest.bytes, digest.sha256});
  }
  ASSIGN_OR_RETURN(const std::string json, ToJson(manifest));
  // What is returned is what a later ReadManifest returns.
  ASSIGN_OR_RETURN(manifest, ManifestFromJson(json));
  RETURN_IF_ERROR(disk.Sync(directory));
  RETURN_IF_ERROR(base::WriteFileAtomically(disk, absl::StrCat(directory, "/", kManifest), json));
  RETURN_IF_ERROR(disk.Sync(ModelDirectory(manifest.model)));
  return disk.Sync(options_.root);
}

absl::StatusOr<std::vector<StoredVersion>> ModelStore::List() const {
  std::vector<StoredVersion> all;
  ASSIGN_OR_RETURN(const std::vector<std::string> models, base::ListDirectory(options_.root));
  for (const std::string& model : models) {
    if (!CheckModelName(model).ok()) continue;
    const auto versions = Versions(model);
    if (!versions.ok()) continue;  // a file, or deleted meanwhile
    for (const int64_t version : *versions) {
      if (base::Exists(absl::StrCat(VersionDirectory(model, version), "/", kManifest))) {
        all.push_back({model, version});
      }
    }
  }
  return all;
}

absl::StatusOr<Manifest> ModelStore::ReadManifest(const std::string& model, int64_t version) const {
  RETURN_IF_ERROR(CheckModelName(model));
  const std::string path = absl::StrCat(VersionDirectory(model, version), "/", kManifest);
  auto text = base::ReadFile(path);
  if (absl::IsNotFound(text.status())) {
    return absl::NotFoundError(
        absl::StrCat("model ", model, " version ", version, " is not in the store"));
  }
  RETURN_IF_ERROR(text.status());
  ASSIGN_OR_RETURN(Manifest manifest, ManifestFromJson(*text));
  if (manifest.model != model || manifest.version != version) {
    return absl::DataLossError(absl::StrCat(path, ": is of model ", manifest.model, " version ",
                                            manifest.version, ", wanted ", model, " version ",
                                            version));
  }
  return manifest;
}

std::string ModelStore::FilePath(const Manifest& manifest, const std::string& name) const {
  return absl::StrCat(VersionDirectory(manifest.model, manifest.version), "/", name);
}

absl::StatusOr<base::MappedFile> ModelStore::MapFile(const Manifest& manifest,
                                                     const std::string& name) const {
  const StoredFile* file = manifest.File(name);
  if (!file) {
    return absl::NotFoundError(absl::StrCat("model ", manifest.model, " version ", manifest.version,
                                            " has no file ", name));
  }
  const std::string path = FilePath(manifest, name);
  // Read in pieces: the pages of a mapping that has been read would count as the server's memory.
  const auto digest = base::DigestFile(path);
  if (absl::IsNotFound(digest.status()))
    return absl::DataLossError(absl::StrCat(path, ": is missing"));
  RETURN_IF_ERROR(digest.status());
  if (digest->bytes != file->bytes) {
    return absl::DataLossError(
        absl::StrCat(path, ": got ", digest->bytes, " bytes, the manifest says ", file->bytes));
  }
  if (digest->sha256 != file->sha256) {
    return absl::DataLossError(
        absl::StrCat(path, ": SHA-256 is ", digest->sha256, ", the manifest says ", file->sha256));
  }
  return base::MappedFile::Open(path);
}

absl::Status ModelStore::Delete(const std::string& model, int64_t version) {
  RETURN_IF_ERROR(CheckModelName(model));
  const std::string directory = VersionDirectory(model, version);
  const std::string manifest = absl::StrCat(directory, "/", kManifest);
  if (unlink(manifest.c_str()) != 0) {
    if (errno == ENOENT) {
      return absl::NotFoundError(
          absl::StrCat("model ", model, " version ", version, " is not in the store"));
    }
    return base::ErrnoStatus(errno, absl::StrCat("cannot remove ", manifest));
  }
  RETURN_IF_ERROR(options_.files->Sync(directory));
  RETURN_IF_ERROR(base::RemoveTree(directory));
  rmdir(ModelDirectory(model).c_str());  // if no other version is there
  return absl::OkStatus();
}

}  // namespace fourfold::store
