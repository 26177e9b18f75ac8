#include "server/publish/progress.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"

namespace fourfold::publish {
namespace {

constexpr size_t kTextMax = 4096;
constexpr size_t kLineMax = 65536;

std::string Text(const nlohmann::json& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end() || !found->is_string()) return "";
  return found->get<std::string>().substr(0, kTextMax);
}

absl::StatusCode CodeNamed(absl::string_view name) {
  for (int code = 1; code <= 16; ++code) {
    const auto candidate = static_cast<absl::StatusCode>(code);
    if (absl::StatusCodeToString(candidate) == name) return candidate;
  }
  return absl::StatusCode::kInternal;
}

}  // namespace

std::optional<ProgressLine> ParseProgressLine(absl::string_view line) {
  const auto json =
      nlohmann::json::parse(line.begin(), line.end(), nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) return std::nullopt;
  ProgressLine progress;
  if (const auto error = json.find("error"); error != json.end()) {
    if (!error->is_object()) return std::nullopt;
    progress.error = absl::Status(CodeNamed(Text(*error, "code")), Text(*error, "message"));
    return progress;
  }
  progress.stage = Text(json, "stage");
  if (progress.stage.empty()) return std::nullopt;
  if (const auto percent = json.find("percent"); percent != json.end() && percent->is_number()) {
    progress.percent = std::clamp(percent->get<double>(), 0.0, 100.0);
  }
  progress.message = Text(json, "message");
  return progress;
}

std::vector<std::string> LineReader::Add(absl::string_view bytes) {
  std::vector<std::string> lines;
  while (!bytes.empty()) {
    const size_t end = bytes.find('\n');
    const absl::string_view piece = bytes.substr(0, end);
    if (!too_long_) rest_.append(piece.data(), piece.size());
    if (rest_.size() > kLineMax) {
      rest_.clear();
      too_long_ = true;
    }
    if (end == absl::string_view::npos) break;
    if (!too_long_) lines.push_back(std::move(rest_));
    rest_.clear();
    too_long_ = false;
    bytes.remove_prefix(end + 1);
  }
  return lines;
}

}  // namespace fourfold::publish
