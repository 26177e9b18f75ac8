#pragma once

#include <string>
#include <unordered_map>

#include "absl/strings/string_view.h"

namespace fourfold::onnx {

// Names handed out so far, so that each is handed out once. Constant time per name on average,
// however often the same one is asked for.
class NameSet {
 public:
  // `base` if it is free, else base_1, base_2, ...; the result is taken from now on.
  std::string Unique(const std::string& base);

 private:
  std::unordered_map<std::string, int> next_;  // taken name -> number to try next behind it
};

// The end of a long name, from a separator ("/" or ";") on where there is one: at most 32 bytes.
// Converters join the names of all that they fused, and a file repeats a name at each use.
std::string Shortened(absl::string_view name);

// A name from a file as messages show it: quoted, unprintable bytes escaped, not endless.
std::string Quoted(absl::string_view name);

}  // namespace fourfold::onnx
