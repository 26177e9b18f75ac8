#pragma once

#include <sys/types.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace fourfold::base {

struct SubprocessOptions {
  std::string program;            // a path
  std::vector<std::string> args;  // without argv[0]
  int nice = 0;                   // added to the parent's priority number
  int64_t memory_bytes_max = 0;   // that only it can use: heap, stacks; 0: no limit
  int64_t mapped_bytes_max = 0;   // of files mapped for reading; only with memory_bytes_max
  int64_t cpu_seconds_max = 0;    // 0: no limit
  int64_t file_bytes_max = 0;     // of one written file; 0: no limit
};

// How a child ended.
struct ExitState {
  int code = 0;               // of exit(), meaningful without a signal
  std::optional<int> signal;  // what killed it
  bool ok() const { return code == 0 && !signal; }
};

// "exit code 3", "signal 9 (Killed)".
std::string ExitText(const ExitState& state);

// A child process with its standard input and output closed off, standard error and file descriptor
// 3 as pipes, no other descriptors, in its own process group, killed when the parent's thread that
// started it dies. Killed and reaped at destruction. Used by one thread; Wake by any.
class Subprocess {
 public:
  // NOT_FOUND, PERMISSION_DENIED ... if the program cannot be run.
  static absl::StatusOr<std::unique_ptr<Subprocess>> Start(const SubprocessOptions& options);
  ~Subprocess();
  Subprocess(const Subprocess&) = delete;
  Subprocess& operator=(const Subprocess&) = delete;

  pid_t pid() const { return pid_; }

  // What the child wrote since the last call to descriptor 3 and standard error.
  struct Output {
    std::string progress;
    std::string error;
    bool open = true;    // false: both pipes are closed
    bool woken = false;  // Wake was called
  };
  // Waits for output, for the pipes' end, for Wake, or until `timeout` has passed.
  absl::StatusOr<Output> Read(absl::Duration timeout);

  // Makes a Read, now or the next one, return at once. Thread-safe.
  void Wake();

  // SIGKILL for the child and its process group; fine if it has ended.
  void Kill();

  // Waits for the child's end, at most `timeout`. True if it has ended.
  bool WaitFor(absl::Duration timeout);

  // Waits for the child's end.
  ExitState Wait();

 private:
  Subprocess(pid_t pid, int progress, int error, int wake)
      : pid_(pid), progress_fd_(progress), error_fd_(error), wake_fd_(wake) {}

  const pid_t pid_;
  int progress_fd_;  // -1: closed
  int error_fd_;
  const int wake_fd_;  // an eventfd
  std::optional<ExitState> exit_;
};

}  // namespace fourfold::base
