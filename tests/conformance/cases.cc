#include "tests/conformance/cases.h"

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <tuple>

#include "absl/strings/str_cat.h"

namespace fourfold::conformance {
namespace {

namespace fs = std::filesystem;

// folder/<prefix>0.pb, <prefix>1.pb, ... as far as they go.
std::vector<std::string> Numbered(const fs::path& folder, const std::string& prefix) {
  std::vector<std::string> paths;
  for (;;) {
    const fs::path path = folder / absl::StrCat(prefix, paths.size(), ".pb");
    if (!fs::exists(path)) return paths;
    paths.push_back(path.string());
  }
}

Case ReadCase(const fs::path& folder) {
  Case result;
  result.suite = folder.parent_path().filename().string();
  result.name = folder.filename().string();
  result.model = (folder / "model.onnx").string();
  for (int i = 0;; ++i) {
    const fs::path data = folder / absl::StrCat("test_data_set_", i);
    if (!fs::is_directory(data)) break;
    result.data.push_back({Numbered(data, "input_"), Numbered(data, "output_")});
  }
  return result;
}

void Visit(const fs::path& folder, CaseList& list) {
  if (fs::exists(folder / "model.onnx")) {
    list.cases.push_back(ReadCase(folder));
  } else if (fs::exists(folder / "data.json")) {
    list.no_data.push_back(
        absl::StrCat(folder.parent_path().filename().string(), "/", folder.filename().string()));
  }
}

}  // namespace

absl::StatusOr<CaseList> FindCases(const std::string& folder) {
  std::error_code error;
  // Absolute, so that the folder around a case has a name; without the empty part that a / at the
  // end makes.
  fs::path root = fs::absolute(folder, error).lexically_normal();
  if (!root.has_filename()) root = root.parent_path();
  if (!fs::is_directory(root, error)) {
    return absl::NotFoundError(absl::StrCat("there is no folder ", folder));
  }
  CaseList list;
  Visit(root, list);
  for (auto entry = fs::recursive_directory_iterator(root, error);
       !error && entry != fs::recursive_directory_iterator(); entry.increment(error)) {
    if (entry->is_directory()) Visit(entry->path(), list);
  }
  if (error) {
    return absl::NotFoundError(absl::StrCat("cannot list ", folder, ": ", error.message()));
  }
  if (list.cases.empty()) {
    return absl::NotFoundError(absl::StrCat("no test case (a folder with model.onnx) in ", folder));
  }
  std::sort(list.cases.begin(), list.cases.end(), [](const Case& a, const Case& b) {
    return std::tie(a.suite, a.name) < std::tie(b.suite, b.name);
  });
  std::sort(list.no_data.begin(), list.no_data.end());
  return list;
}

}  // namespace fourfold::conformance
