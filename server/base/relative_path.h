#pragma once

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace fourfold::base {

// INVALID_ARGUMENT unless the path, from an untrusted source, names something below the folder it
// is relative to, as far as its text can say: 1 to 1024 bytes, parts separated by '/', no part that
// is empty or "..", no backslash and no control character. Says nothing of symbolic links.
absl::Status CheckRelativePath(absl::string_view path);

}  // namespace fourfold::base
