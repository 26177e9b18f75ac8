#include "server/store/model_name.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace fourfold::store {

absl::Status CheckModelName(absl::string_view name) {
  constexpr size_t kLengthMax = 128;
  const bool good = !name.empty() && name.size() <= kLengthMax && absl::ascii_isalnum(name[0]) &&
                    !absl::StrContains(name, "..") &&
                    std::all_of(name.begin(), name.end(), [](char c) {
                      return absl::ascii_isalnum(c) || c == '.' || c == '_' || c == '-';
                    });
  if (good) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("model name: got \"", absl::CHexEscape(name.substr(0, kLengthMax + 1)),
                   "\", wanted 1 to 128 characters of [A-Za-z0-9._-], beginning with a letter or "
                   "digit, without \"..\""));
}

}  // namespace fourfold::store
