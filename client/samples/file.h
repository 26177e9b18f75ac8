#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace fourfold::samples {

// Bytes and what keeps them alive: `data` stays valid as long as a copy of `owner` exists.
struct SharedBytes {
  std::span<const std::byte> data;
  std::shared_ptr<const void> owner;
};

// Maps a regular file read-only. The file must not be shortened by anybody while it is mapped.
// Errors: NOT_FOUND; PERMISSION_DENIED; INVALID_ARGUMENT if it is not a regular file.
absl::StatusOr<SharedBytes> MapFile(const std::string& path);

// Writes a file of `parts`, one after the other, replacing what was there. Errors: as open(2) and
// write(2) say, with the path; a full disk is RESOURCE_EXHAUSTED.
absl::Status WriteFile(const std::string& path, std::span<const std::span<const std::byte>> parts);

// The status of a failed system call: "<what> <path>: <strerror>".
absl::Status FileError(int error_number, const char* what, const std::string& path);

}  // namespace fourfold::samples
