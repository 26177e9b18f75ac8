#include "server/base/control_group.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "server/base/file.h"

namespace fourfold::base {

std::vector<std::string> ControlGroupDirectories(absl::string_view controller,
                                                 const std::string& root) {
  std::vector<std::string> directories;
  const auto groups = ReadFile(absl::StrCat(root, "/proc/self/cgroup"));
  if (!groups.ok()) return directories;
  // Lines are ID:CONTROLLERS:PATH; version 2 is the one with ID 0 and no controllers.
  for (const absl::string_view line : absl::StrSplit(*groups, '\n', absl::SkipEmpty())) {
    const std::vector<std::string> parts = absl::StrSplit(line, absl::MaxSplits(':', 2));
    if (parts.size() != 3) continue;
    const bool version_2 = parts[0] == "0" && parts[1].empty();
    const std::vector<absl::string_view> controllers = absl::StrSplit(parts[1], ',');
    if (!version_2 &&
        std::find(controllers.begin(), controllers.end(), controller) == controllers.end()) {
      continue;
    }
    const std::string mount =
        absl::StrCat(root, "/sys/fs/cgroup", version_2 ? "" : "/", version_2 ? "" : controller);
    std::string path = parts[2] == "/" ? "" : parts[2];
    while (true) {
      directories.push_back(mount + path);
      if (path.empty()) break;
      path.resize(path.rfind('/') == std::string::npos ? 0 : path.rfind('/'));
    }
  }
  return directories;
}

}  // namespace fourfold::base
