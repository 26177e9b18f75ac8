#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace fourfold::store {

// One file of a version.
struct StoredFile {
  std::string name;  // "int8.onnx"
  int64_t bytes = 0;
  std::string sha256;
};

// manifest.json: what a version is made of. A version without one does not exist.
struct Manifest {
  std::string model;
  int64_t version = 0;
  int64_t created_unix_ms = 0;
  std::vector<StoredFile> files;
  std::string report_json;  // as the quantizer wrote it, with model and version filled in

  // null if there is no such file.
  const StoredFile* File(const std::string& name) const;
};

// INVALID_ARGUMENT if report_json is not a JSON object.
absl::StatusOr<std::string> ToJson(const Manifest& manifest);

// DATA_LOSS if it is not what ToJson writes.
absl::StatusOr<Manifest> ManifestFromJson(const std::string& text);

}  // namespace fourfold::store
