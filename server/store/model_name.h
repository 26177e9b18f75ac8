#pragma once

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace fourfold::store {

// INVALID_ARGUMENT unless the name is 1 to 128 characters of [A-Za-z0-9._-], begins with a letter
// or digit and has no "..": such a name is also a safe directory name, and '@' stays free for
// variants.
absl::Status CheckModelName(absl::string_view name);

}  // namespace fourfold::store
