#include "server/store/manifest.h"

#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"

namespace fourfold::store {

using Json = nlohmann::ordered_json;

const StoredFile* Manifest::File(const std::string& name) const {
  for (const StoredFile& file : files) {
    if (file.name == name) return &file;
  }
  return nullptr;
}

absl::StatusOr<std::string> ToJson(const Manifest& manifest) {
  Json report = Json::parse(manifest.report_json, nullptr, /*allow_exceptions=*/false);
  if (!report.is_object()) {
    return absl::InvalidArgumentError("report.json: wanted a JSON object, got something else");
  }
  report["model"] = manifest.model;
  report["version"] = manifest.version;
  Json files = Json::array();
  for (const StoredFile& file : manifest.files) {
    files.push_back({{"name", file.name}, {"bytes", file.bytes}, {"sha256", file.sha256}});
  }
  const Json json = {{"model", manifest.model},
                     {"version", manifest.version},
                     {"created_unix_ms", manifest.created_unix_ms},
                     {"files", std::move(files)},
                     {"report", std::move(report)}};
  return json.dump(2, ' ', false, Json::error_handler_t::replace);
}

absl::StatusOr<Manifest> ManifestFromJson(const std::string& text) {
  const Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) return absl::DataLossError("manifest.json: not a JSON object");
  try {
    Manifest manifest;
    manifest.model = json.at("model").get<std::string>();
    manifest.version = json.at("version").get<int64_t>();
    manifest.created_unix_ms = json.at("created_unix_ms").get<int64_t>();
    for (const Json& file : json.at("files")) {
      manifest.files.push_back({file.at("name").get<std::string>(), file.at("bytes").get<int64_t>(),
                                file.at("sha256").get<std::string>()});
    }
    manifest.report_json = json.at("report").dump(2);
    return manifest;
  } catch (const Json::exception& e) {
    return absl::DataLossError(absl::StrCat("manifest.json: ", e.what()));
  }
}

}  // namespace fourfold::store
