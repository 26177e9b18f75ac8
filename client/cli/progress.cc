#include "client/cli/progress.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"

namespace fourfold::cli {
namespace {

constexpr int kBarWidth = 30;

}  // namespace

void ProgressLine::Show(const std::string& text, double share) {
  share = std::isfinite(share) ? std::clamp(share, 0.0, 1.0) : 0.0;
  const auto done = static_cast<size_t>(share * kBarWidth);
  Write(absl::StrCat(text, "  [", std::string(done, '#'), std::string(kBarWidth - done, '.'), "] ",
                     static_cast<int>(share * 100), "%"));
}

void ProgressLine::Show(const std::string& text) { Write(text); }

void ProgressLine::Clear() {
  if (!is_terminal_ || shown_.empty()) return;
  out_ << "\r\x1b[K" << std::flush;
  shown_.clear();
}

void ProgressLine::Write(std::string line) {
  if (!is_terminal_ || line == shown_) return;  // the same text again would only flicker
  out_ << "\r\x1b[K" << line << std::flush;
  shown_ = std::move(line);
}

}  // namespace fourfold::cli
