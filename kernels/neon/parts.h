#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>

#include "kernels/kernel.h"

namespace fourfold::kernels::neon {

// Multiply-accumulates that are worth the start of another thread.
inline constexpr int64_t kWorthAThread = 65536;

// Splits [0, count) into at most `threads` parts and calls function(part, begin, end) for each, on
// the lent threads if the whole is worth it. `work` is the cost of one item in
// multiply-accumulates. `threads` is that of the preparation: scratch has one slice for each part.
template <typename Function>
void ForParts(Parallel& parallel, int threads, int64_t count, int64_t work,
              const Function& function) {
  const int64_t parts =
      std::min({count, static_cast<int64_t>(std::min(threads, parallel.threads())),
                count * work / kWorthAThread + 1});
  if (parts <= 1) {
    function(int64_t{0}, int64_t{0}, count);
    return;
  }
  const auto part = [&](int i) {
    function(int64_t{i}, count * i / parts, count * (i + 1) / parts);
  };
  parallel.For(static_cast<int>(parts), std::cref(part));  // a reference: nothing is allocated
}

}  // namespace fourfold::kernels::neon
