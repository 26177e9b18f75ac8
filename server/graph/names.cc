#include "server/graph/names.h"

#include <algorithm>
#include <cstdint>

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

namespace {

bool IsContinuation(char c) { return (static_cast<uint8_t>(c) & 0xC0) == 0x80; }

// Bytes of the UTF-8 character that `text` begins with, 0 if it begins with none.
size_t CharacterBytes(absl::string_view text) {
  const auto first = static_cast<uint8_t>(text[0]);
  if (first < 0x80) return 1;
  const size_t bytes = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4 || text.size() < bytes) return 0;
  uint32_t code = first & (0xFF >> (bytes + 1));
  for (size_t i = 1; i < bytes; ++i) {
    if (!IsContinuation(text[i])) return 0;
    code = code << 6 | (static_cast<uint8_t>(text[i]) & 0x3F);
  }
  constexpr uint32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
  const bool surrogate = code >= 0xD800 && code < 0xE000;
  return code >= kLeast[bytes] && code <= 0x10FFFF && !surrogate ? bytes : 0;
}

bool IsUtf8(absl::string_view text) {
  while (!text.empty()) {
    const size_t bytes = CharacterBytes(text);
    if (bytes == 0) return false;
    text.remove_prefix(bytes);
  }
  return true;
}

}  // namespace

bool IsPrintable(absl::string_view name, size_t bytes_max) {
  if (name.size() > bytes_max || !IsUtf8(name)) return false;
  return std::none_of(name.begin(), name.end(),
                      [](char c) { return static_cast<uint8_t>(c) < ' ' || c == '\x7f'; });
}

std::string Printable(absl::string_view name, size_t bytes_max) {
  absl::string_view shown = name.substr(0, bytes_max);
  while (shown.size() < name.size() && !shown.empty() && IsContinuation(name[shown.size()])) {
    shown.remove_suffix(1);  // no part of a character
  }
  return absl::StrCat(IsUtf8(shown) ? absl::Utf8SafeCEscape(shown) : absl::CEscape(shown),
                      shown.size() < name.size() ? "..." : "");
}

std::string Quoted(absl::string_view name) { return absl::StrCat("\"", Printable(name), "\""); }

}  // namespace fourfold::graph
