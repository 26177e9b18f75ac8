#include "server/onnx/external_data.h"

#include <filesystem>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/base/file.h"
#include "server/base/relative_path.h"
#include "server/base/status_macros.h"
#include "server/onnx/names.h"

namespace fourfold::onnx {
namespace {

absl::StatusOr<ExternalFile> Map(const std::string& path) {
  ASSIGN_OR_RETURN(base::MappedFile mapped, base::MappedFile::Open(path));
  const auto owner = std::make_shared<const base::MappedFile>(std::move(mapped));
  return ExternalFile{owner, owner->bytes()};
}

}  // namespace

absl::StatusOr<ExternalFile> ExternalFolder::Open(const std::string& location) {
  namespace fs = std::filesystem;
  RETURN_IF_ERROR(base::CheckRelativePath(location));
  std::error_code error;
  const fs::path folder = fs::canonical(folder_.empty() ? "." : folder_, error);
  const fs::path file = error ? fs::path() : fs::canonical(folder / location, error);
  if (error) {
    return absl::InvalidArgumentError(absl::StrCat("file ", Quoted(location),
                                                   " is wanted beside the model and cannot be "
                                                   "opened: ",
                                                   error.message()));
  }
  const fs::path inside = file.lexically_relative(folder);
  if (inside.empty() || *inside.begin() == "..") {
    return absl::InvalidArgumentError(
        absl::StrCat("file ", Quoted(location), " leads out of the model's folder"));
  }
  if (!fs::is_regular_file(file, error)) {
    return absl::InvalidArgumentError(absl::StrCat(Quoted(location), " is not a regular file"));
  }
  return Map(file.string());
}

absl::StatusOr<ExternalFile> ExternalFiles::Open(const std::string& location) {
  const auto path = paths_.find(location);
  if (path == paths_.end()) {
    return absl::InvalidArgumentError(
        absl::StrCat("file ", Quoted(location), " did not come with the model"));
  }
  return Map(path->second);
}

}  // namespace fourfold::onnx
