#include "tests/conformance/run_isolated.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "server/base/file.h"

namespace fourfold::conformance {
namespace {

using nlohmann::json;

// ---- Results as lines of JSON, which a child writes to its pipe.

json ToJson(const Verdict& verdict) { return {static_cast<int>(verdict.outcome), verdict.reason}; }

Verdict VerdictOf(const json& text) {
  return {static_cast<Outcome>(text.at(0).get<int>()), text.at(1).get<std::string>()};
}

std::string ToLine(const CaseResult& result) {
  json line = {{"verdict", ToJson(result.verdict)},
               {"operators", result.operators},
               {"listed", result.operators_listed}};
  if (result.needs_passes) line["needs_passes"] = *result.needs_passes;
  if (result.round_trip) line["round_trip"] = ToJson(*result.round_trip);
  return line.dump(-1, ' ', true, json::error_handler_t::replace) + "\n";
}

CaseResult ResultOf(const std::string& line) {
  const json text = json::parse(line);
  CaseResult result;
  result.verdict = VerdictOf(text.at("verdict"));
  result.operators = text.at("operators").get<std::vector<std::string>>();
  result.operators_listed = text.at("listed").get<bool>();
  if (text.contains("needs_passes")) result.needs_passes = text.at("needs_passes");
  if (text.contains("round_trip")) result.round_trip = VerdictOf(text.at("round_trip"));
  return result;
}

void WriteAll(int fd, const std::string& text) {
  for (size_t done = 0; done < text.size();) {
    const ssize_t n = write(fd, text.data() + done, text.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) _exit(1);  // the parent is gone
    done += static_cast<size_t>(n);
  }
}

// ---- The parent's end.

// Reads lines from a pipe; the time to wait for each is limited.
class Lines {
 public:
  enum class Got : uint8_t { kLine, kEnd, kTimeout };

  explicit Lines(int fd) : fd_(fd) {}

  Got Next(absl::Duration timeout, std::string& line) {
    const absl::Time deadline = absl::Now() + timeout;
    for (;;) {
      if (const size_t end = text_.find('\n'); end != std::string::npos) {
        line = text_.substr(0, end);
        text_.erase(0, end + 1);
        return Got::kLine;
      }
      const int64_t left = absl::ToInt64Milliseconds(deadline - absl::Now());
      pollfd wait{fd_, POLLIN, 0};
      const int ready = left <= 0 ? 0 : poll(&wait, 1, static_cast<int>(left));
      if (ready == 0) return Got::kTimeout;
      if (ready < 0) continue;  // EINTR
      char buffer[4096];
      const ssize_t n = read(fd_, buffer, sizeof(buffer));
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) return Got::kEnd;
      text_.append(buffer, static_cast<size_t>(n));
    }
  }

 private:
  int fd_;
  std::string text_;
};

std::string HowItEnded(int status) {
  if (WIFSIGNALED(status)) {
    return absl::StrCat("crashed: signal ", WTERMSIG(status), " (", strsignal(WTERMSIG(status)),
                        ")");
  }
  return absl::StrCat("crashed: the process ended with exit code ", WEXITSTATUS(status));
}

// Runs cases [first, last) in one child and appends a result for each that it finished, and for the
// one that ended it.
absl::Status RunBatch(const std::vector<Case>& cases, size_t first, size_t last,
                      absl::Duration timeout, const std::function<CaseResult(const Case&)>& run,
                      std::vector<CaseResult>& results) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return base::ErrnoStatus(errno, "cannot make a pipe");
  std::fflush(nullptr);
  const pid_t child = fork();
  if (child < 0) return base::ErrnoStatus(errno, "cannot fork");
  if (child == 0) {
    close(ends[0]);
    for (size_t i = first; i < last; ++i) WriteAll(ends[1], ToLine(run(cases[i])));
    _exit(0);
  }
  close(ends[1]);
  Lines lines(ends[0]);
  std::string line;
  bool timed_out = false;
  while (results.size() < last) {
    const Lines::Got got = lines.Next(timeout, line);
    timed_out = got == Lines::Got::kTimeout;
    if (got != Lines::Got::kLine) break;
    results.push_back(ResultOf(line));
  }
  const bool complete = results.size() == last;
  if (timed_out) kill(child, SIGKILL);
  close(ends[0]);
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (complete) return absl::OkStatus();
  CaseResult ended;
  ended.verdict.outcome = Outcome::kFailed;
  ended.verdict.reason = timed_out ? absl::StrCat("not done after ", absl::FormatDuration(timeout))
                                   : HowItEnded(status);
  results.push_back(std::move(ended));
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<CaseResult>> RunIsolated(
    const std::vector<Case>& cases, const IsolationOptions& options,
    const std::function<CaseResult(const Case&)>& run) {
  std::vector<CaseResult> results;
  results.reserve(cases.size());
  while (results.size() < cases.size()) {
    const size_t first = results.size();
    const size_t last = std::min(cases.size(), first + std::max<size_t>(options.batch, 1));
    const absl::Status done = RunBatch(cases, first, last, options.timeout, run, results);
    if (!done.ok()) return done;
  }
  return results;
}

}  // namespace fourfold::conformance
