#include "server/base/file_system.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>

#include "absl/strings/str_cat.h"
#include "server/base/file.h"
#include "server/base/status_macros.h"

namespace fourfold::base {
namespace {

class RealFile final : public WritableFile {
 public:
  RealFile(int fd, std::string path) : fd_(fd), path_(std::move(path)) {}
  ~RealFile() override { close(fd_); }

  absl::Status Append(absl::string_view bytes) override {
    while (!bytes.empty()) {
      const ssize_t wrote = write(fd_, bytes.data(), bytes.size());
      if (wrote < 0) {
        if (errno == EINTR) continue;
        return ErrnoStatus(errno, absl::StrCat("cannot write ", path_));
      }
      bytes.remove_prefix(static_cast<size_t>(wrote));
    }
    return absl::OkStatus();
  }

  absl::Status Overwrite(int64_t offset, absl::string_view bytes) override {
    while (!bytes.empty()) {
      const ssize_t wrote = pwrite(fd_, bytes.data(), bytes.size(), offset);
      if (wrote < 0) {
        if (errno == EINTR) continue;
        return ErrnoStatus(errno, absl::StrCat("cannot write ", path_));
      }
      bytes.remove_prefix(static_cast<size_t>(wrote));
      offset += wrote;
    }
    return absl::OkStatus();
  }

  absl::Status Sync() override {
    if (fsync(fd_) != 0) return ErrnoStatus(errno, absl::StrCat("cannot sync ", path_));
    return absl::OkStatus();
  }

 private:
  const int fd_;
  const std::string path_;
};

class Machine final : public FileSystem {
 public:
  absl::StatusOr<std::unique_ptr<WritableFile>> Create(const std::string& path) override {
    const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0) return ErrnoStatus(errno, absl::StrCat("cannot create ", path));
    return std::make_unique<RealFile>(fd, path);
  }

  absl::Status MakeDirectory(const std::string& path) override {
    if (mkdir(path.c_str(), 0755) == 0) return absl::OkStatus();
    return ErrnoStatus(errno, absl::StrCat("cannot create directory ", path));
  }

  absl::Status Rename(const std::string& from, const std::string& to) override {
    if (std::rename(from.c_str(), to.c_str()) == 0) return absl::OkStatus();
    return ErrnoStatus(errno, absl::StrCat("cannot rename ", from, " to ", to));
  }

  absl::Status Sync(const std::string& path) override {
    const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) return ErrnoStatus(errno, absl::StrCat("cannot open ", path));
    const int error = fsync(fd) == 0 ? 0 : errno;
    close(fd);
    if (error != 0) return ErrnoStatus(error, absl::StrCat("cannot sync ", path));
    return absl::OkStatus();
  }
};

}  // namespace

FileSystem& RealFileSystem() {
  static Machine machine;
  return machine;
}

absl::Status WriteFileAtomically(FileSystem& files, const std::string& path,
                                 absl::string_view bytes) {
  const std::string temporary = absl::StrCat(path, ".tmp");
  const auto write = [&]() -> absl::Status {
    {
      ASSIGN_OR_RETURN(const std::unique_ptr<WritableFile> file, files.Create(temporary));
      RETURN_IF_ERROR(file->Append(bytes));
      RETURN_IF_ERROR(file->Sync());
    }
    RETURN_IF_ERROR(files.Rename(temporary, path));
    const std::string parent = std::filesystem::path(path).parent_path().string();
    return files.Sync(parent.empty() ? "." : parent);
  };
  const absl::Status status = write();
  if (!status.ok()) unlink(temporary.c_str());
  return status;
}

}  // namespace fourfold::base
