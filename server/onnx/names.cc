#include "server/onnx/names.h"

namespace fourfold::onnx {

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
