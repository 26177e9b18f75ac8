#include "server/tools/external_listing.h"

#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "server/base/file.h"
#include "server/base/status_macros.h"

namespace fourfold::tools {

absl::StatusOr<onnx::ExternalFiles> ReadExternalListing(const std::string& path) {
  ASSIGN_OR_RETURN(const std::string text, base::ReadFile(path));
  const auto json = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  try {
    std::map<std::string, std::string> paths;
    for (const auto& file : json.at("files")) {
      paths.emplace(file.at("location").get<std::string>(),
                    absl::StrCat(FolderOf(path), "/", file.at("file").get<std::string>()));
    }
    return onnx::ExternalFiles(std::move(paths));
  } catch (const nlohmann::json::exception& e) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": ", e.what()));
  }
}

std::string FolderOf(const std::string& path) {
  const std::string folder = std::filesystem::path(path).parent_path().string();
  return folder.empty() ? "." : folder;
}

}  // namespace fourfold::tools
