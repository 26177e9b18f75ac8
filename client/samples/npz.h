#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/samples/npy.h"

namespace fourfold::samples {

struct NamedArray {
  std::string name;
  Array array;
};

struct NpzOptions {
  // Bytes of all members together once unpacked; more is refused before anything is unpacked.
  int64_t max_bytes = int64_t{8} << 30;
  // Members of one archive.
  int64_t max_arrays = 256;
};

// Reads all arrays of an .npz (a zip of NAME.npy members, stored or deflated) into memory, in the
// archive's order. Errors: NOT_FOUND; INVALID_ARGUMENT if it is no zip or empty, a member is no
// .npy that ParseNpy takes, is damaged, encrypted, or a name comes twice; RESOURCE_EXHAUSTED past a
// limit.
absl::StatusOr<std::vector<NamedArray>> ReadNpz(const std::string& path, const NpzOptions& options);

// Writes an .npz of stored members, replacing `path` only once all is written; the same arrays
// give the same bytes. Errors: INVALID_ARGUMENT for no arrays or an empty or repeated name;
// UNAVAILABLE or RESOURCE_EXHAUSTED if it cannot be written.
absl::Status WriteNpz(const std::string& path, std::span<const NamedArray> arrays);

}  // namespace fourfold::samples
