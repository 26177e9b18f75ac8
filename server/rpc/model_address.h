#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace fourfold::rpc {

// What a request calls a model: "resnet50" or "resnet50@int8", and a decimal version or none.
struct ModelAddress {
  std::string model;
  std::string variant;  // empty: not named
  int64_t version = 0;  // 0: the newest
};

// INVALID_ARGUMENT if the version is no positive number, or nothing stands before or after the '@'.
absl::StatusOr<ModelAddress> ParseModelAddress(absl::string_view name, absl::string_view version);

}  // namespace fourfold::rpc
