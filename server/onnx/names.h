#pragma once

#include <string>

#include "absl/strings/string_view.h"
#include "server/graph/names.h"

namespace fourfold::onnx {

using graph::NameSet;
using graph::Quoted;

// The end of a long name, from a separator ("/" or ";") on where there is one: at most 32 bytes.
// Converters join the names of all that they fused, and a file repeats a name at each use.
std::string Shortened(absl::string_view name);

}  // namespace fourfold::onnx
