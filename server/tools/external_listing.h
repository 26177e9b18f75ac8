#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "server/onnx/external_data.h"

namespace fourfold::tools {

// The files of external data of an upload, from the files.json that the store wrote beside them.
// INVALID_ARGUMENT if it is none.
absl::StatusOr<onnx::ExternalFiles> ReadExternalListing(const std::string& path);

// The folder of a path: "." for a bare file name.
std::string FolderOf(const std::string& path);

}  // namespace fourfold::tools
