#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace fourfold::base {

// Directories of the control groups that hold this process for `controller` ("cpu", "memory"), of
// version 2 and version 1: its own group first, then those above it. Some may not exist: a
// container may show the path of its group on the host. `root` is a prefix for /proc and /sys in
// tests.
std::vector<std::string> ControlGroupDirectories(absl::string_view controller,
                                                 const std::string& root = "");

}  // namespace fourfold::base
