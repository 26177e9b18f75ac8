#pragma once

#include "absl/time/time.h"

namespace fourfold::base {

// Where time comes from. Thread-safe. Tests inject their own.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual absl::Time Now() const = 0;
};

// The machine's clock; lives as long as the program.
const Clock& SystemClock();

}  // namespace fourfold::base
