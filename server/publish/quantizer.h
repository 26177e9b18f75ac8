#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "server/base/subprocess.h"
#include "server/publish/progress.h"
#include "server/store/staging.h"

namespace fourfold::publish {

struct QuantizerOptions {
  std::string program;       // path of fourfold-quantize
  std::string cpu_features;  // passed on; empty: what the CPU has
  int threads = 1;           // of each execution, as they are served
  int nice = 10;             // more: gives way to serving more readily
  // Memory beside mapped files; those of the upload and of the variants made of it come on top, as
  // address space only. 0: no limit.
  int64_t memory_bytes_max = int64_t{16} << 30;
  absl::Duration time_max = absl::Hours(1);  // of one job
  // Weights in a variant's own file; more are kept in a second one.
  int64_t inline_bytes_max = int64_t{1} << 30;
};

// One run of the quantizer's program over a staged upload, in a child process. Run is called once;
// Cancel by any thread at any time.
class QuantizerRun {
 public:
  explicit QuantizerRun(const QuantizerOptions& options) : options_(options) {}

  // Calls `progress` for each line on the calling thread. Ends with the child's end:
  //   what the child reported as its error; CANCELLED; DEADLINE_EXCEEDED over time_max;
  //   INTERNAL if it ended badly without a word, naming the signal or exit code.
  absl::Status Run(const store::Staging& staging, const std::vector<std::string>& variants,
                   const std::function<void(const ProgressLine&)>& progress);

  void Cancel();

 private:
  absl::Status Follow(base::Subprocess& child,
                      const std::function<void(const ProgressLine&)>& progress);
  bool cancelled();

  const QuantizerOptions options_;

  absl::Mutex mutex_;
  bool cancelled_ ABSL_GUARDED_BY(mutex_) = false;
  base::Subprocess* child_ ABSL_GUARDED_BY(mutex_) = nullptr;  // while it runs
};

}  // namespace fourfold::publish
