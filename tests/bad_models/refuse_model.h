#pragma once

#include <string>

#include "absl/status/status.h"

namespace fourfold::testing {

// What became of a model that was to be loaded.
struct Refusal {
  absl::Status status;       // of import, passes, plan or run; OK if it was accepted
  std::string crash;         // how the process ended, if it did not end by itself
  double cpu_seconds = 0;    // of the whole process
  int64_t resident_mib = 0;  // the most that the process had
};

// Imports, optimises and plans the model and runs it on zeros (unknown dimensions as 1), in a
// process of its own.
Refusal LoadModel(const std::string& bytes);

}  // namespace fourfold::testing
