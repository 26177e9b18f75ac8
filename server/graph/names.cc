#include "server/graph/names.h"

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace fourfold::graph {

std::string NameSet::Unique(const std::string& base) {
  const auto [entry, fresh] = next_.try_emplace(base, 1);
  if (fresh) return base;
  int& number = entry->second;  // references survive insertions, iterators do not
  for (;;) {
    std::string name = absl::StrCat(base, "_", number++);
    if (next_.try_emplace(name, 1).second) return name;
  }
}

std::string Quoted(absl::string_view name) {
  constexpr size_t kLongest = 100;
  const std::string text = absl::Utf8SafeCHexEscape(name.substr(0, kLongest));
  return absl::StrCat("\"", text, name.size() > kLongest ? "..." : "", "\"");
}

}  // namespace fourfold::graph
