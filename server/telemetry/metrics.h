#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <tuple>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace fourfold::telemetry {

// Labels of everything that is about one variant.
struct VariantLabels {
  std::string model;
  int64_t version = 0;
  std::string variant;

  friend bool operator<(const VariantLabels& a, const VariantLabels& b) {
    return std::tie(a.model, a.version, a.variant) < std::tie(b.model, b.version, b.variant);
  }
};

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

// The time series of one variant. Thread-safe.
class VariantSeries {
 public:
  virtual ~VariantSeries() = default;
  virtual void RequestDone(absl::StatusCode status, absl::Duration duration) = 0;
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

 private:
  struct Families;
  class Series;
  class Handle;

  const std::string server_version_;
  const std::unique_ptr<Families> families_;

  absl::Mutex mutex_;
  // Handles count how many hold each series: a reloaded variant shares the series of the old one.
  std::map<VariantLabels, std::unique_ptr<Series>> series_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace fourfold::telemetry
