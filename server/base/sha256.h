#pragma once

#include <span>
#include <string>

#include "absl/status/statusor.h"

namespace fourfold::base {

// SHA-256 in lower-case hexadecimal, 64 characters.
std::string Sha256Hex(std::span<const std::byte> bytes);

struct FileDigest {
  int64_t bytes = 0;
  std::string sha256;
};

// Size and SHA-256 of a file, read in pieces. NOT_FOUND and others as ErrnoStatus.
absl::StatusOr<FileDigest> DigestFile(const std::string& path);

}  // namespace fourfold::base
