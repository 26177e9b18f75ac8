#include "server/base/relative_path.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace fourfold::base {

absl::Status CheckRelativePath(absl::string_view path) {
  constexpr size_t kLengthMax = 1024;
  bool good = !path.empty() && path.size() <= kLengthMax &&
              std::none_of(path.begin(), path.end(), [](char c) {
                return c == '\\' || absl::ascii_iscntrl(static_cast<unsigned char>(c));
              });
  for (const absl::string_view part : absl::StrSplit(path, '/')) {
    good = good && !part.empty() && part != "..";
  }
  if (good) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("file name: got \"", absl::CHexEscape(path.substr(0, 128)),
                   "\", wanted a path below the model's folder: relative, 1 to ", kLengthMax,
                   " bytes, without \"..\", backslashes and control characters"));
}

}  // namespace fourfold::base
