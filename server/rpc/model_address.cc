#include "server/rpc/model_address.h"

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace fourfold::rpc {

absl::StatusOr<ModelAddress> ParseModelAddress(absl::string_view name, absl::string_view version) {
  ModelAddress address;
  const size_t at = name.find('@');
  address.model = std::string(name.substr(0, at));
  if (at != absl::string_view::npos) address.variant = std::string(name.substr(at + 1));
  if (address.model.empty() || (at != absl::string_view::npos && address.variant.empty())) {
    return absl::InvalidArgumentError(absl::StrCat("model name: got \"",
                                                   absl::CHexEscape(name.substr(0, 256)),
                                                   "\", wanted MODEL or MODEL@VARIANT"));
  }
  if (!version.empty() && (!absl::SimpleAtoi(version, &address.version) || address.version < 1)) {
    return absl::InvalidArgumentError(
        absl::StrCat("model version: got \"", absl::CHexEscape(version.substr(0, 64)),
                     "\", wanted a number from 1, or none for the newest"));
  }
  return address;
}

}  // namespace fourfold::rpc
