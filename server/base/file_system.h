#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace fourfold::base {

// A file being written. Not thread-safe. Closed at destruction.
class WritableFile {
 public:
  virtual ~WritableFile() = default;
  virtual absl::Status Append(absl::string_view bytes) = 0;
  virtual absl::Status Overwrite(int64_t offset, absl::string_view bytes) = 0;  // inside the file
  virtual absl::Status Sync() = 0;
};

// What changes the disk, so that tests can let it fail. Thread-safe.
class FileSystem {
 public:
  virtual ~FileSystem() = default;
  // Creates the file or empties it.
  virtual absl::StatusOr<std::unique_ptr<WritableFile>> Create(const std::string& path) = 0;
  virtual absl::Status MakeDirectory(const std::string& path) = 0;  // ALREADY_EXISTS if it is there
  virtual absl::Status Rename(const std::string& from, const std::string& to) = 0;
  virtual absl::Status Sync(const std::string& path) = 0;  // a file or a directory
};

// The machine's; lives as long as the program.
FileSystem& RealFileSystem();

// See file.h.
absl::Status WriteFileAtomically(FileSystem& files, const std::string& path,
                                 absl::string_view bytes);

}  // namespace fourfold::base
