#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace fourfold::client {

// A file in which a model keeps weights outside of its own (ONNX external data).
struct ExternalFile {
  std::string location;  // as the model names it, relative to its folder
  std::string path;      // where it is
  int64_t bytes = 0;
};

// The files that the ONNX file at `model_path` names, each once, in the order of their first
// mention. Reads the model's structure and passes over its weights, in little memory. A file that
// is no ONNX model names none: what is wrong with it is for the server to say.
//   INVALID_ARGUMENT     a name that leads out of the model's folder, also by a symbolic link
//   NOT_FOUND            a file is missing
//   RESOURCE_EXHAUSTED   more than 10,000 files
absl::StatusOr<std::vector<ExternalFile>> FindExternalFiles(const std::string& model_path);

}  // namespace fourfold::client
