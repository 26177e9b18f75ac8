#include "server/publish/quantizer.h"

#include <algorithm>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "server/base/log.h"
#include "server/base/status_macros.h"

namespace fourfold::publish {
namespace {

constexpr size_t kErrorTailMax = 4096;
// The model and its samples, and the variants, which have 4 + 2 + 1 + 1 bytes per weight of 4.
constexpr int64_t kMappedPerUpload = 1 + 2;

std::vector<std::string> Arguments(const QuantizerOptions& options, const store::Staging& staging,
                                   const std::vector<std::string>& variants) {
  std::vector<std::string> args = {staging.model_path(),
                                   absl::StrCat("--out=", staging.output_directory()),
                                   absl::StrCat("--name=", staging.model()),
                                   "--progress_fd=3",
                                   absl::StrCat("--threads=", options.threads),
                                   absl::StrCat("--max_inline_bytes=", options.inline_bytes_max)};
  if (!variants.empty()) args.push_back(absl::StrCat("--variants=", absl::StrJoin(variants, ",")));
  if (const auto listing = staging.external_listing()) {
    args.push_back(absl::StrCat("--external_data=", *listing));
  }
  if (const auto directory = staging.samples_directory(store::SampleSet::kCalibration)) {
    args.push_back(absl::StrCat("--calibration=", *directory));
  }
  if (const auto directory = staging.samples_directory(store::SampleSet::kEvaluation)) {
    args.push_back(absl::StrCat("--eval=", *directory));
  }
  if (!options.cpu_features.empty())
    args.push_back(absl::StrCat("--cpu_features=", options.cpu_features));
  return args;
}

}  // namespace

bool QuantizerRun::cancelled() {
  absl::MutexLock lock(&mutex_);
  return cancelled_;
}

void QuantizerRun::Cancel() {
  absl::MutexLock lock(&mutex_);
  cancelled_ = true;
  if (child_) child_->Wake();
}

absl::Status QuantizerRun::Run(const store::Staging& staging,
                               const std::vector<std::string>& variants,
                               const std::function<void(const ProgressLine&)>& progress) {
  base::SubprocessOptions process;
  process.program = options_.program;
  process.args = Arguments(options_, staging, variants);
  process.nice = options_.nice;
  process.memory_bytes_max = options_.memory_bytes_max;
  process.mapped_bytes_max = kMappedPerUpload * staging.bytes();
  if (options_.time_max < absl::Hours(24 * 365)) {
    // Behind the limit on elapsed time, for a child whose parent is stuck.
    process.cpu_seconds_max =
        (absl::ToInt64Seconds(options_.time_max) + 60) * std::max(options_.threads, 1);
  }
  ASSIGN_OR_RETURN(const std::unique_ptr<base::Subprocess> child, base::Subprocess::Start(process));
  {
    absl::MutexLock lock(&mutex_);
    child_ = child.get();
  }
  const absl::Status status = Follow(*child, progress);
  absl::MutexLock lock(&mutex_);
  child_ = nullptr;
  return status;
}

absl::Status QuantizerRun::Follow(base::Subprocess& child,
                                  const std::function<void(const ProgressLine&)>& progress) {
  const absl::Time deadline = absl::Now() + options_.time_max;
  LineReader lines;
  std::string error_tail;
  std::optional<absl::Status> reported;
  for (bool open = true; open || !child.WaitFor(absl::Milliseconds(100));) {
    if (cancelled()) return absl::CancelledError("the job was cancelled");
    if (absl::Now() >= deadline) {
      return absl::DeadlineExceededError(absl::StrCat("quantizing took longer than ",
                                                      absl::FormatDuration(options_.time_max),
                                                      ", the limit --job_seconds of this server"));
    }
    if (!open) continue;
    ASSIGN_OR_RETURN(const base::Subprocess::Output output, child.Read(deadline - absl::Now()));
    open = output.open;
    error_tail += output.error;
    if (error_tail.size() > kErrorTailMax) error_tail.erase(0, error_tail.size() - kErrorTailMax);
    for (const std::string& line : lines.Add(output.progress)) {
      const std::optional<ProgressLine> parsed = ParseProgressLine(line);
      if (!parsed) continue;
      if (parsed->error) {
        reported = parsed->error;
      } else {
        progress(*parsed);
      }
    }
  }
  const base::ExitState exit = child.Wait();
  if (reported && !reported->ok()) return *reported;
  if (exit.ok()) return absl::OkStatus();
  base::LogError("quantizer.ended_badly", {{"how", base::ExitText(exit)}, {"stderr", error_tail}});
  return absl::InternalError(
      absl::StrCat("the quantizer ended with ", base::ExitText(exit),
                   " without saying why; the server's log has the end of what it wrote"));
}

}  // namespace fourfold::publish
