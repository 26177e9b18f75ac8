#include "server/base/subprocess.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/base/file.h"

namespace fourfold::base {
namespace {

struct Pipe {
  int read = -1;
  int write = -1;
  Pipe() = default;
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  ~Pipe() {
    if (read >= 0) close(read);
    if (write >= 0) close(write);
  }
  bool Open() {
    int fds[2];
    if (pipe2(fds, O_CLOEXEC) != 0) return false;
    read = fds[0];
    write = fds[1];
    return true;
  }
  int TakeRead() { return std::exchange(read, -1); }
};

void Limit(int resource, int64_t value) {
  if (value <= 0) return;
  const rlimit limit{static_cast<rlim_t>(value), static_cast<rlim_t>(value)};
  setrlimit(static_cast<__rlimit_resource>(resource), &limit);
}

// Between fork and exec: async-signal-safe calls only. Writes errno to `failure` and ends if it
// fails.
[[noreturn]] void RunChild(const SubprocessOptions& options, char* const* argv, int progress,
                           int error, int failure, pid_t parent) {
  setpgid(0, 0);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  bool ok = getppid() == parent;  // the parent may have died before the line above
  // The parent's handlers and masks are not the child's.
  for (int number = 1; number < 32; ++number) signal(number, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);

  // Out of the way of 0 to 3 first, then into place.
  const int high_progress = fcntl(progress, F_DUPFD, 10);
  const int high_error = fcntl(error, F_DUPFD, 10);
  const int high_failure = fcntl(failure, F_DUPFD_CLOEXEC, 10);
  const int null = open("/dev/null", O_RDWR);
  ok = ok && high_progress >= 0 && high_error >= 0 && high_failure >= 0 && null >= 0;
  ok = ok && dup2(null, 0) == 0 && dup2(null, 1) == 1 && dup2(high_error, 2) == 2 &&
       dup2(high_progress, 3) == 3;
  if (ok) {
    // All but 0 to 3 and the failure pipe, which exec closes.
    if (high_failure > 4) syscall(SYS_close_range, 4u, static_cast<unsigned>(high_failure - 1), 0u);
    syscall(SYS_close_range, static_cast<unsigned>(high_failure + 1), ~0u, 0u);
    setpriority(PRIO_PROCESS, 0, getpriority(PRIO_PROCESS, 0) + options.nice);
    // Mapped files are the page cache's: they count as address space only.
    Limit(RLIMIT_DATA, options.memory_bytes_max);
    if (options.memory_bytes_max > 0) {
      Limit(RLIMIT_AS, options.memory_bytes_max + options.mapped_bytes_max);
    }
    Limit(RLIMIT_CPU, options.cpu_seconds_max);
    Limit(RLIMIT_FSIZE, options.file_bytes_max);
    const rlimit no_core{0, 0};
    setrlimit(RLIMIT_CORE, &no_core);
    execv(options.program.c_str(), argv);
  }
  const int code = errno;
  [[maybe_unused]] const ssize_t wrote =
      write(high_failure >= 0 ? high_failure : failure, &code, sizeof(code));
  _exit(127);
}

// Moves what is there to `text`. False at the pipe's end.
bool ReadSome(int fd, std::string& text) {
  char buffer[1 << 14];
  while (true) {
    const ssize_t got = read(fd, buffer, sizeof(buffer));
    if (got > 0) {
      text.append(buffer, static_cast<size_t>(got));
      return true;
    }
    if (got < 0 && errno == EINTR) continue;
    return false;
  }
}

}  // namespace

std::string ExitText(const ExitState& state) {
  if (state.signal)
    return absl::StrCat("signal ", *state.signal, " (", strsignal(*state.signal), ")");
  return absl::StrCat("exit code ", state.code);
}

absl::StatusOr<std::unique_ptr<Subprocess>> Subprocess::Start(const SubprocessOptions& options) {
  Pipe progress;
  Pipe error;
  Pipe failure;
  if (!progress.Open() || !error.Open() || !failure.Open()) {
    return ErrnoStatus(errno, "cannot make a pipe");
  }
  const int wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (wake < 0) return ErrnoStatus(errno, "cannot make an eventfd");

  std::vector<char*> argv;  // made before fork: the child may not allocate
  argv.push_back(const_cast<char*>(options.program.c_str()));
  for (const std::string& arg : options.args) argv.push_back(const_cast<char*>(arg.c_str()));
  argv.push_back(nullptr);

  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid < 0) {
    const int code = errno;
    close(wake);
    return ErrnoStatus(code, "cannot fork");
  }
  if (pid == 0) RunChild(options, argv.data(), progress.write, error.write, failure.write, parent);

  auto child =
      std::unique_ptr<Subprocess>(new Subprocess(pid, progress.TakeRead(), error.TakeRead(), wake));
  close(std::exchange(failure.write, -1));
  int code = 0;
  ssize_t got = 0;
  do {
    got = read(failure.read, &code, sizeof(code));
  } while (got < 0 && errno == EINTR);
  if (got == sizeof(code)) {  // closed without a byte by a successful exec
    child->Wait();
    return ErrnoStatus(code, absl::StrCat("cannot run ", options.program));
  }
  return child;
}

Subprocess::~Subprocess() {
  Kill();
  Wait();
  if (progress_fd_ >= 0) close(progress_fd_);
  if (error_fd_ >= 0) close(error_fd_);
  close(wake_fd_);
}

absl::StatusOr<Subprocess::Output> Subprocess::Read(absl::Duration timeout) {
  Output output;
  // poll passes over negative descriptors.
  std::array<pollfd, 3> fds = {pollfd{progress_fd_, POLLIN, 0}, pollfd{error_fd_, POLLIN, 0},
                               pollfd{wake_fd_, POLLIN, 0}};
  const int64_t milliseconds =
      std::clamp<int64_t>(absl::ToInt64Milliseconds(timeout + absl::Microseconds(999)), 0, 1 << 30);
  if (poll(fds.data(), fds.size(), static_cast<int>(milliseconds)) < 0) {
    if (errno == EINTR) return output;
    return ErrnoStatus(errno, "cannot poll a child's pipes");
  }
  if (fds[0].revents != 0 && !ReadSome(progress_fd_, output.progress)) {
    close(std::exchange(progress_fd_, -1));
  }
  if (fds[1].revents != 0 && !ReadSome(error_fd_, output.error))
    close(std::exchange(error_fd_, -1));
  if (fds[2].revents != 0) {
    uint64_t count = 0;
    output.woken = read(wake_fd_, &count, sizeof(count)) == sizeof(count);
  }
  output.open = progress_fd_ >= 0 || error_fd_ >= 0;
  return output;
}

void Subprocess::Wake() {
  const uint64_t one = 1;
  [[maybe_unused]] const ssize_t wrote = write(wake_fd_, &one, sizeof(one));
}

void Subprocess::Kill() {
  if (exit_) return;
  kill(-pid_, SIGKILL);
  kill(pid_, SIGKILL);
}

bool Subprocess::WaitFor(absl::Duration timeout) {
  if (exit_) return true;
  const auto fd = static_cast<int>(syscall(SYS_pidfd_open, pid_, 0u));
  if (fd < 0) {  // a kernel before 5.3: looks without waiting
    siginfo_t info{};
    return waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
           info.si_pid != 0;
  }
  pollfd ended{fd, POLLIN, 0};
  const int64_t milliseconds = std::clamp<int64_t>(absl::ToInt64Milliseconds(timeout), 0, 1 << 30);
  const bool done = poll(&ended, 1, static_cast<int>(milliseconds)) > 0;
  close(fd);
  return done;
}

ExitState Subprocess::Wait() {
  if (exit_) return *exit_;
  int status = 0;
  while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  ExitState state;
  if (WIFSIGNALED(status)) state.signal = WTERMSIG(status);
  if (WIFEXITED(status)) state.code = WEXITSTATUS(status);
  exit_ = state;
  return state;
}

}  // namespace fourfold::base
