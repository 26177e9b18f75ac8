#pragma once

#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "server/telemetry/labels.h"
#include "server/telemetry/statistics.h"

namespace fourfold::telemetry {

// What was measured of a variant before it was published; nothing where it was not measured.
struct VariantFigures {
  int64_t file_bytes = 0;
  int64_t weight_bytes = 0;
  int64_t resident_bytes = 0;
  double latency_p50_seconds = 0;  // of one execution at batch 1
  double latency_p90_seconds = 0;
  double latency_p99_seconds = 0;
  double speedup = 0;
  double size_ratio = 0;
  bool is_default = false;
  std::optional<double> top1;       // against labels
  std::optional<double> agreement;  // with fp32
  std::optional<double> sqnr_db;
};

// Requests that ran together.
struct Execution {
  int64_t samples = 0;                          // first dimensions of the requests, together
  std::span<const absl::Duration> waited = {};  // of each request, from its arrival
  absl::Duration input = absl::ZeroDuration();  // putting the inputs together
  absl::Duration compute = absl::ZeroDuration();
  absl::Duration output = absl::ZeroDuration();  // taking the outputs apart
  absl::Time ended = absl::InfinitePast();
};

// The time series of one variant. Thread-safe.
class VariantSeries {
 public:
  virtual ~VariantSeries() = default;
  // A request was answered or given up, `duration` after its arrival.
  virtual void RequestDone(absl::StatusCode status, absl::Duration duration) = 0;
  virtual void Executed(const Execution& execution) = 0;
  // Since the series began.
  virtual VariantStatistics statistics() const = 0;
};

enum class Rejection { kQueueFull, kDeadline, kCancelled, kShutdown };
enum class JobOutcome { kDone, kFailed, kCancelled };

// All metrics of the server. Thread-safe.
class Metrics {
 public:
  explicit Metrics(std::string server_version = "");
  ~Metrics();

  // Series with these labels, which vanish when the last handle to them goes. Outlived by this
  // object.
  std::shared_ptr<VariantSeries> ForVariant(const VariantLabels& labels,
                                            const VariantFigures& figures);

  // A request that reached no variant: unknown model, bad request.
  void UnroutedRequest(absl::StatusCode status);

  void QueuedRequests(int64_t count);
  void QueueLimit(int64_t count);
  void Rejected(Rejection reason);
  void PresentJobs(int64_t queued, int64_t running);
  void JobEnded(JobOutcome outcome);

  // Prometheus text format 0.0.4, with what the system says of the process (process_metrics.h).
  std::string Text() const;

  // The counters of requests under the names that Triton gives them (nv_inference_*), for
  // dashboards made for it; same format. Their units and suffixes are not Prometheus' usual ones,
  // so they are not part of Text().
  std::string TritonText() const;

 private:
  struct Families;
  class Series;
  class Handle;

  const std::string server_version_;
  const std::unique_ptr<Families> families_;

  mutable absl::Mutex mutex_;
  // Handles count how many hold each series: a reloaded variant shares the series of the old one.
  std::map<VariantLabels, std::unique_ptr<Series>> series_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace fourfold::telemetry
