#pragma once

#include <string>
#include <unordered_map>

#include "absl/strings/string_view.h"

namespace fourfold::graph {

// What importers of model files share about the names in them.

// Names handed out so far, so that each is handed out once. Constant time per name on average,
// however often the same one is asked for.
class NameSet {
 public:
  // `base` if it is free, else base_1, base_2, ...; the result is taken from now on.
  std::string Unique(const std::string& base);

 private:
  std::unordered_map<std::string, int> next_;  // taken name -> number to try next behind it
};

// A name from a file as messages show it: quoted, unprintable bytes escaped, not endless.
std::string Quoted(absl::string_view name);

}  // namespace fourfold::graph
