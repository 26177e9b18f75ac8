#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "client/client.h"
#include "client/connection.h"
#include "client/sha256.h"

namespace fourfold::client {
namespace {

// A file beside `path` that becomes `path` when committed and disappears otherwise.
class PendingFile {
 public:
  explicit PendingFile(std::string path) : path_(std::move(path)) {}
  ~PendingFile() {
    if (descriptor_ >= 0) close(descriptor_);
    if (created_) unlink(pending_.c_str());
  }
  PendingFile(const PendingFile&) = delete;
  PendingFile& operator=(const PendingFile&) = delete;

  absl::Status Open() {
    struct stat facts;
    if (stat(path_.c_str(), &facts) == 0 && S_ISDIR(facts.st_mode)) {
      return absl::InvalidArgumentError(absl::StrCat(path_, " is a folder, wanted a file"));
    }
    for (int attempt = 0; attempt < kAttempts; ++attempt) {  // passes over leftovers and neighbours
      pending_ = absl::StrCat(path_, ".part.", getpid(), ".", attempt);
      descriptor_ = open(pending_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
      if (descriptor_ >= 0) {
        created_ = true;
        return absl::OkStatus();
      }
      if (errno != EEXIST) break;
    }
    return Error("cannot create");
  }

  absl::Status Write(const std::string& bytes) {
    size_t done = 0;
    while (done < bytes.size()) {
      const ssize_t count = write(descriptor_, bytes.data() + done, bytes.size() - done);
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) return Error("cannot write");
      done += static_cast<size_t>(count);
    }
    return absl::OkStatus();
  }

  absl::Status Commit() {
    if (fsync(descriptor_) != 0) return Error("cannot write");
    const int descriptor = std::exchange(descriptor_, -1);
    if (close(descriptor) != 0) return Error("cannot write");
    if (rename(pending_.c_str(), path_.c_str()) != 0) {
      return absl::ErrnoToStatus(errno, absl::StrCat("cannot rename ", pending_, " to ", path_));
    }
    created_ = false;
    return absl::OkStatus();
  }

 private:
  absl::Status Error(const char* what) const {
    return absl::ErrnoToStatus(errno, absl::StrCat(what, " ", pending_));
  }

  static constexpr int kAttempts = 100;

  const std::string path_;
  std::string pending_;
  int descriptor_ = -1;
  bool created_ = false;
};

}  // namespace

absl::StatusOr<Downloaded> Client::Download(const DownloadRequest& request) {
  PendingFile file(request.path);
  if (absl::Status opened = file.Open(); !opened.ok()) return opened;

  grpc::ClientContext context;
  v1::DownloadVariantRequest proto_request;
  proto_request.set_model(request.model);
  proto_request.set_version(request.version);
  proto_request.set_variant(request.variant);
  const auto reader = connection_->variants->DownloadVariant(&context, proto_request);

  Downloaded result;
  bool has_header = false;
  int64_t received_bytes = 0;
  Sha256 sha256;
  absl::Status local;  // why we stopped reading, if we did
  v1::DownloadVariantResponse response;
  while (local.ok() && reader->Read(&response)) {
    if (response.has_header()) {
      if (has_header) local = absl::DataLossError("the server sent two download headers");
      const v1::DownloadHeader& header = response.header();
      result = {header.model(), header.version(), header.variant(), header.file_bytes(),
                header.sha256()};
      has_header = true;
    } else if (!has_header) {
      local = absl::DataLossError("the server sent bytes before the download header");
    } else {
      received_bytes += static_cast<int64_t>(response.chunk().size());
      if (received_bytes > result.file_bytes) {
        local = absl::DataLossError(absl::StrCat("download of ", request.model, ": got more than ",
                                                 result.file_bytes, " bytes"));
        break;
      }
      sha256.Update(response.chunk().data(), response.chunk().size());
      local = file.Write(response.chunk());
      if (request.progress) request.progress(received_bytes, result.file_bytes);
    }
  }
  if (!local.ok()) context.TryCancel();
  const absl::Status status = connection_->ToStatus(reader->Finish());
  if (!local.ok()) return local;
  if (!status.ok()) return status;

  if (!has_header || received_bytes != result.file_bytes) {
    return absl::DataLossError(absl::StrCat("download of ", request.model, ": got ", received_bytes,
                                            " bytes, wanted ", result.file_bytes));
  }
  if (const std::string got = sha256.Finish(); got != result.sha256) {
    return absl::DataLossError(absl::StrCat("download of ", request.model, ": SHA-256 is ", got,
                                            ", wanted ", result.sha256));
  }
  if (absl::Status committed = file.Commit(); !committed.ok()) return committed;
  return result;
}

}  // namespace fourfold::client
