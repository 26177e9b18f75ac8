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

// Whether a name is text (UTF-8 without control characters) of at most `bytes_max` bytes.
bool IsPrintable(absl::string_view name, size_t bytes_max);

// A name from a file as messages show it: the first `bytes_max` bytes with "..." behind them if
// there are more; control characters, and all other bytes of what is not UTF-8, escaped.
std::string Printable(absl::string_view name, size_t bytes_max = 100);

// Printable and in quotes.
std::string Quoted(absl::string_view name);

// Entry of Graph::metadata: how requests are batched, or why they are not, for people.
inline constexpr char kBatchingKey[] = "fourfold.batching";

}  // namespace fourfold::graph
