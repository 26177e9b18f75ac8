#pragma once

#include <span>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace fourfold::base {

// The status of a failed system call: NOT_FOUND, ALREADY_EXISTS, PERMISSION_DENIED,
// RESOURCE_EXHAUSTED (disk full, quota, too many files, memory), else INTERNAL.
absl::Status ErrnoStatus(int error, absl::string_view message);

absl::StatusOr<std::string> ReadFile(const std::string& path);

// The file has the old bytes or all of the new ones, also after a crash: writes beside it, fsyncs,
// renames, fsyncs the directory.
absl::Status WriteFileAtomically(const std::string& path, absl::string_view bytes);

// Names in a directory without . and .., sorted.
absl::StatusOr<std::vector<std::string>> ListDirectory(const std::string& path);

// Creates the directory and its parents; fine if it exists.
absl::Status MakeDirectories(const std::string& path);

// Removes a file or a directory with all that is in it, following no links; fine if it is not
// there.
absl::Status RemoveTree(const std::string& path);

bool Exists(const std::string& path);

// Keeps a directory for one process: a second Take of it, by this process or another, fails while
// the first lives. Leaves no file behind and ends with the process, however that ends.
class DirectoryLock {
 public:
  // FAILED_PRECONDITION if somebody has it.
  static absl::StatusOr<DirectoryLock> Take(const std::string& path);
  DirectoryLock() = default;
  DirectoryLock(DirectoryLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  DirectoryLock& operator=(DirectoryLock&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~DirectoryLock();

 private:
  explicit DirectoryLock(int fd) : fd_(fd) {}

  int fd_ = -1;
};

// A whole file mapped read-only: memory that the system can drop and read again.
class MappedFile {
 public:
  static absl::StatusOr<MappedFile> Open(const std::string& path);
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  ~MappedFile();

  std::span<const std::byte> bytes() const { return {static_cast<const std::byte*>(data_), size_}; }

  // Gives back the memory of what was read so far; reading it again brings it back.
  void DropPages() const;

 private:
  MappedFile(void* data, size_t size) : data_(data), size_(size) {}

  void* data_ = nullptr;
  size_t size_ = 0;
};

}  // namespace fourfold::base
