#include "server/onnx/names.h"

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace fourfold::onnx {

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

std::string Shortened(absl::string_view name) {
  constexpr size_t kMost = 32;
  if (name.size() <= kMost) return std::string(name);
  const absl::string_view end = name.substr(name.size() - kMost);
  const size_t separator = end.find_first_of("/;");
  // A separator at the very end leaves nothing to tell names apart by.
  if (separator == absl::string_view::npos || separator + 8 > end.size()) return std::string(end);
  return std::string(end.substr(separator + 1));
}

}  // namespace fourfold::onnx
