#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "client/client.h"
#include "client/connection.h"
#include "client/sha256.h"

namespace fourfold::client {
namespace {

// A file beside its path that takes this path when committed and disappears otherwise.
class PendingFile {
 public:
  PendingFile() = default;
  ~PendingFile() {
    if (descriptor_ >= 0) close(descriptor_);
    if (created_) unlink(pending_.c_str());
  }
  PendingFile(const PendingFile&) = delete;
  PendingFile& operator=(const PendingFile&) = delete;

  const std::string& path() const { return path_; }

  absl::Status Open(std::string path) {
    path_ = std::move(path);
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

  std::string path_;
  std::string pending_;
  int descriptor_ = -1;
  bool created_ = false;
};

// SHA-256 of a file; "" if it cannot be read.
std::string DigestOf(const std::string& path) {
  const std::unique_ptr<FILE, int (*)(FILE*)> file(fopen(path.c_str(), "rbe"), &fclose);
  if (file == nullptr) return "";
  Sha256 sha256;
  std::vector<char> buffer(size_t{1} << 18);
  while (const size_t count = fread(buffer.data(), 1, buffer.size(), file.get())) {
    sha256.Update(buffer.data(), count);
  }
  return ferror(file.get()) != 0 ? "" : sha256.Finish();
}

bool Exists(const std::string& path) {
  struct stat facts;
  return lstat(path.c_str(), &facts) == 0;
}

// Takes the messages of one download: the ONNX file, then perhaps the one with its weights.
class Receiver {
 public:
  explicit Receiver(const DownloadRequest& request) : request_(request) {}

  // Makes the first file.
  absl::Status Open() { return model_.file.Open(request_.path); }

  absl::Status Take(const v1::DownloadVariantResponse& message) {
    if (message.has_header()) return Begin(message.header());
    if (!arriving_) {
      return absl::DataLossError("the server sent bytes before the download header");
    }
    return TakeBytes(message.chunk());
  }

  // All has arrived: checks it and puts the files into place.
  absl::StatusOr<Downloaded> Finish() {
    if (absl::Status whole = CheckArrived(); !whole.ok()) return whole;
    Downloaded result{model_.header.model(),      model_.header.version(), model_.header.variant(),
                      model_.header.file_bytes(), model_.header.sha256(),  ""};
    if (data_) {
      // First: a model never lies there without its weights.
      if (absl::Status committed = data_->file.Commit(); !committed.ok()) return committed;
      result.file_bytes += data_->header.file_bytes();
      result.data_path = data_->file.path();
    }
    if (absl::Status committed = model_.file.Commit(); !committed.ok()) return committed;
    return result;
  }

 private:
  struct Arriving {
    PendingFile file;
    v1::DownloadHeader header;
    int64_t bytes = 0;
    Sha256 sha256;
  };

  absl::Status Begin(const v1::DownloadHeader& header) {
    if (!arriving_) {
      arriving_ = &model_;
    } else {
      if (absl::Status whole = CheckArrived(); !whole.ok()) return whole;
      if (data_ || header.location().empty()) {
        return absl::DataLossError("the server sent a download header too many");
      }
      data_ = std::make_unique<Arriving>();
      if (absl::Status opened = OpenData(header); !opened.ok()) return opened;
      arriving_ = data_.get();
    }
    arriving_->header = header;
    return absl::OkStatus();
  }

  // The ONNX file finds its weights under this name only, so a file of that name stays: it may hold
  // another model's.
  absl::Status OpenData(const v1::DownloadHeader& header) {
    const std::string& name = header.location();
    if (name.find('/') != std::string::npos || name.find('\0') != std::string::npos ||
        name[0] == '.') {
      return absl::DataLossError("the server sent a file with a path for a name");
    }
    const size_t slash = request_.path.rfind('/');
    const std::string folder = slash == std::string::npos ? "" : request_.path.substr(0, slash + 1);
    const std::string path = folder + name;
    if (path == request_.path) {
      return absl::InvalidArgumentError(absl::StrCat(
          path, " is where the weights have to lie, wanted another name for the model"));
    }
    if (Exists(path) && DigestOf(path) != header.sha256()) {
      return absl::AlreadyExistsError(absl::StrCat(
          path, " is there already, and the weights of ", request_.model,
          " have to lie under this name beside the model; wanted a folder without it"));
    }
    return data_->file.Open(path);
  }

  absl::Status TakeBytes(const std::string& chunk) {
    arriving_->bytes += static_cast<int64_t>(chunk.size());
    if (arriving_->bytes > arriving_->header.file_bytes()) {
      return absl::DataLossError(absl::StrCat("download of ", request_.model, ": got more than ",
                                              arriving_->header.file_bytes(), " bytes"));
    }
    arriving_->sha256.Update(chunk.data(), chunk.size());
    if (absl::Status written = arriving_->file.Write(chunk); !written.ok()) return written;
    done_bytes_ += static_cast<int64_t>(chunk.size());
    if (request_.progress) {
      request_.progress(done_bytes_,
                        std::max(model_.header.total_bytes(), model_.header.file_bytes()));
    }
    return absl::OkStatus();
  }

  // Of the file that was received last.
  absl::Status CheckArrived() {
    const int64_t got_bytes = arriving_ ? arriving_->bytes : 0;
    if (!arriving_ || got_bytes != arriving_->header.file_bytes()) {
      return absl::DataLossError(absl::StrCat("download of ", request_.model, ": got ", got_bytes,
                                              " bytes, wanted ",
                                              arriving_ ? arriving_->header.file_bytes() : 0));
    }
    if (const std::string got = arriving_->sha256.Finish(); got != arriving_->header.sha256()) {
      return absl::DataLossError(absl::StrCat("download of ", request_.model, ": SHA-256 is ", got,
                                              ", wanted ", arriving_->header.sha256()));
    }
    return absl::OkStatus();
  }

  const DownloadRequest& request_;
  Arriving model_;
  std::unique_ptr<Arriving> data_;  // null: no second file has come
  Arriving* arriving_ = nullptr;    // of the two; null before the first header
  int64_t done_bytes_ = 0;
};

}  // namespace

absl::StatusOr<Downloaded> Client::Download(const DownloadRequest& request) {
  Receiver receiver(request);
  if (absl::Status opened = receiver.Open(); !opened.ok()) return opened;

  grpc::ClientContext context;
  v1::DownloadVariantRequest proto_request;
  proto_request.set_model(request.model);
  proto_request.set_version(request.version);
  proto_request.set_variant(request.variant);
  const auto reader = connection_->variants->DownloadVariant(&context, proto_request);

  absl::Status local;  // why we stopped reading, if we did
  v1::DownloadVariantResponse response;
  while (local.ok() && reader->Read(&response)) local = receiver.Take(response);
  if (!local.ok()) context.TryCancel();
  const absl::Status status = connection_->ToStatus(reader->Finish());
  if (!local.ok()) return local;
  if (!status.ok()) return status;
  return receiver.Finish();
}

}  // namespace fourfold::client
