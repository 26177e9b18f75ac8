#include "server/telemetry/metrics.h"

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/telemetry/process_metrics.h"
#include "server/telemetry/triton_text.h"

namespace fourfold::telemetry {
namespace {

using prometheus::Counter;
using prometheus::Family;
using prometheus::Gauge;
using prometheus::Histogram;
using prometheus::Labels;

constexpr size_t kStatusCodes = 17;  // OK to UNAUTHENTICATED

Family<Counter>& NewCounter(prometheus::Registry& registry, const char* name, const char* help) {
  return prometheus::BuildCounter().Name(name).Help(help).Register(registry);
}
Family<Gauge>& NewGauge(prometheus::Registry& registry, const char* name, const char* help) {
  return prometheus::BuildGauge().Name(name).Help(help).Register(registry);
}
Family<Histogram>& NewHistogram(prometheus::Registry& registry, const char* name,
                                const char* help) {
  return prometheus::BuildHistogram().Name(name).Help(help).Register(registry);
}

// 50 microseconds to 10 seconds, about three per decade.
Histogram::BucketBoundaries LatencyBuckets() {
  return {0.00005, 0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02,
          0.05,    0.1,    0.2,    0.5,    1.0,   2.0,   5.0,   10.0};
}

// Powers of two, as batches are formed.
Histogram::BucketBoundaries BatchBuckets() { return {1, 2, 4, 8, 16, 32, 64, 128}; }

std::string StatusText(absl::StatusCode code) { return absl::StatusCodeToString(code); }

}  // namespace

struct Metrics::Families {
  prometheus::Registry registry;

  Family<Counter>& requests =
      NewCounter(registry, "fourfold_requests_total",
                 "Inference requests answered, by gRPC status. Without model, version "
                 "and variant: requests that reached no variant.");
  Family<Histogram>& request_duration =
      NewHistogram(registry, "fourfold_request_duration_seconds",
                   "Time from receiving an inference request to its answer, successful ones.");
  Family<Histogram>& queue_duration =
      NewHistogram(registry, "fourfold_queue_duration_seconds",
                   "Time from an inference request's arrival to the start of its execution.");
  Family<Histogram>& compute_duration =
      NewHistogram(registry, "fourfold_compute_duration_seconds", "Time of one execution.");
  Family<Histogram>& batch_size =
      NewHistogram(registry, "fourfold_batch_size", "Samples of one execution.");
  Family<Counter>& executions = NewCounter(registry, "fourfold_executions_total",
                                           "Executions, of one or several requests together.");
  Family<Counter>& samples = NewCounter(registry, "fourfold_samples_total", "Samples inferred.");
  Family<Gauge>& file_bytes =
      NewGauge(registry, "fourfold_model_file_bytes", "Size of the variant's ONNX file.");
  Family<Gauge>& weight_bytes = NewGauge(registry, "fourfold_model_weight_bytes",
                                         "Size of the parameters in the variant's file.");
  Family<Gauge>& resident_bytes = NewGauge(registry, "fourfold_model_resident_bytes",
                                           "Memory of the variant while it is served: packed "
                                           "weights, constants and one arena at batch 1.");
  Family<Gauge>& accuracy =
      NewGauge(registry, "fourfold_model_accuracy_ratio",
               "Share of labelled samples whose label scores highest (top-1).");
  Family<Gauge>& agreement = NewGauge(registry, "fourfold_model_agreement_ratio",
                                      "Share of samples whose highest output is that of fp32.");
  Family<Gauge>& sqnr = NewGauge(registry, "fourfold_model_sqnr_decibels",
                                 "Signal to quantization noise ratio of the outputs against fp32.");
  Family<Gauge>& speedup = NewGauge(registry, "fourfold_model_speedup_ratio",
                                    "Median latency of fp32 divided by that of the variant.");
  Family<Gauge>& size_ratio = NewGauge(registry, "fourfold_model_size_ratio",
                                       "Size of the variant's file divided by that of fp32.");
  Family<Gauge>& is_default =
      NewGauge(registry, "fourfold_model_default",
               "1 for the variant that answers to the model's name alone, 0 for the others.");
  Family<Gauge>& latency =
      NewGauge(registry, "fourfold_model_latency_seconds",
               "Latency of one execution at batch 1 as measured when publishing, "
               "by percentile.");

  Gauge& queued =
      NewGauge(registry, "fourfold_queue_requests", "Inference requests waiting for a worker.")
          .Add({});
  Gauge& queue_limit =
      NewGauge(registry, "fourfold_queue_limit_requests",
               "Inference requests of each variant that may wait; more are rejected.")
          .Add({});
  Family<Counter>& rejected_family =
      NewCounter(registry, "fourfold_rejected_requests_total",
                 "Inference requests given up before they ran, by reason.");
  std::array<Counter*, 4> rejected = {&rejected_family.Add({{"reason", "queue_full"}}),
                                      &rejected_family.Add({{"reason", "deadline"}}),
                                      &rejected_family.Add({{"reason", "cancelled"}}),
                                      &rejected_family.Add({{"reason", "shutdown"}})};

  Family<Gauge>& jobs_family = NewGauge(registry, "fourfold_jobs", "Upload jobs now, by state.");
  Gauge& jobs_queued = jobs_family.Add({{"state", "queued"}});
  Gauge& jobs_running = jobs_family.Add({{"state", "running"}});
  Family<Counter>& ended_family =
      NewCounter(registry, "fourfold_jobs_ended_total", "Upload jobs ended, by outcome.");
  std::array<Counter*, 3> ended = {&ended_family.Add({{"outcome", "done"}}),
                                   &ended_family.Add({{"outcome", "failed"}}),
                                   &ended_family.Add({{"outcome", "cancelled"}})};
};

class Metrics::Series final {
 public:
  Series(Families& families, const VariantLabels& labels)
      : families_(families),
        labels_{{"model", labels.model},
                {"version", absl::StrCat(labels.version)},
                {"variant", labels.variant}} {
    duration_ = &families_.request_duration.Add(labels_, LatencyBuckets());
    queue_ = &families_.queue_duration.Add(labels_, LatencyBuckets());
    compute_ = &families_.compute_duration.Add(labels_, LatencyBuckets());
    batch_size_ = &families_.batch_size.Add(labels_, BatchBuckets());
    executions_ = &families_.executions.Add(labels_);
    samples_ = &families_.samples.Add(labels_);
    CounterOf(absl::StatusCode::kOk);
  }

  ~Series() {
    families_.request_duration.Remove(duration_);
    families_.queue_duration.Remove(queue_);
    families_.compute_duration.Remove(compute_);
    families_.batch_size.Remove(batch_size_);
    families_.executions.Remove(executions_);
    families_.samples.Remove(samples_);
    for (auto& counter : counters_) {
      if (Counter* made = counter.load()) families_.requests.Remove(made);
    }
    for (auto& [family, gauge] : gauges_) family->Remove(gauge);
  }

  void SetFigures(const VariantFigures& figures) {
    Set(families_.file_bytes, labels_, static_cast<double>(figures.file_bytes));
    Set(families_.weight_bytes, labels_, static_cast<double>(figures.weight_bytes));
    Set(families_.resident_bytes, labels_, static_cast<double>(figures.resident_bytes));
    Set(families_.speedup, labels_, figures.speedup);
    Set(families_.size_ratio, labels_, figures.size_ratio);
    Set(families_.is_default, labels_, figures.is_default ? 1 : 0);
    if (figures.top1) Set(families_.accuracy, labels_, *figures.top1);
    if (figures.agreement) Set(families_.agreement, labels_, *figures.agreement);
    if (figures.sqnr_db) Set(families_.sqnr, labels_, *figures.sqnr_db);
    const std::pair<const char*, double> percentiles[] = {{"50", figures.latency_p50_seconds},
                                                          {"90", figures.latency_p90_seconds},
                                                          {"99", figures.latency_p99_seconds}};
    for (const auto& [percentile, seconds] : percentiles) {
      Labels labels = labels_;
      labels["percentile"] = percentile;
      Set(families_.latency, labels, seconds);
    }
  }

  void RequestDone(absl::StatusCode status, absl::Duration duration) {
    CounterOf(status).Increment();
    if (status == absl::StatusCode::kOk) duration_->Observe(absl::ToDoubleSeconds(duration));
    absl::MutexLock lock(&mutex_);
    if (status == absl::StatusCode::kOk) {
      statistics_.success.Add(duration);
    } else {
      statistics_.failure.Add(duration);
      ++statistics_.failures[status];
    }
  }

  void Executed(const Execution& execution) {
    for (absl::Duration waited : execution.waited) queue_->Observe(absl::ToDoubleSeconds(waited));
    compute_->Observe(absl::ToDoubleSeconds(execution.compute));
    batch_size_->Observe(static_cast<double>(execution.samples));
    executions_->Increment();
    samples_->Increment(static_cast<double>(execution.samples));
    const auto requests = static_cast<int64_t>(execution.waited.size());
    absl::MutexLock lock(&mutex_);
    for (absl::Duration waited : execution.waited) statistics_.queue.Add(waited);
    statistics_.input.Add(execution.input, requests);
    statistics_.compute.Add(execution.compute, requests);
    statistics_.output.Add(execution.output, requests);
    statistics_.samples += execution.samples;
    ++statistics_.executions;
    statistics_.last = std::max(statistics_.last, execution.ended);
    VariantStatistics::Batch& batch = statistics_.batches[execution.samples];
    batch.input.Add(execution.input);
    batch.compute.Add(execution.compute);
    batch.output.Add(execution.output);
  }

  VariantStatistics statistics() const {
    absl::MutexLock lock(&mutex_);
    return statistics_;
  }

  int holders = 0;  // guarded by Metrics::mutex_

 private:
  // Made when first needed; two makers get the same counter from the family.
  Counter& CounterOf(absl::StatusCode status) {
    const auto index = static_cast<size_t>(status) < kStatusCodes
                           ? static_cast<size_t>(status)
                           : static_cast<size_t>(absl::StatusCode::kUnknown);
    if (Counter* made = counters_[index].load(std::memory_order_acquire)) return *made;
    Labels labels = labels_;
    labels["status"] = StatusText(static_cast<absl::StatusCode>(index));
    Counter& counter = families_.requests.Add(labels);
    counters_[index].store(&counter, std::memory_order_release);
    return counter;
  }

  void Set(Family<Gauge>& family, const Labels& labels, double value) {
    Gauge& gauge = family.Add(labels);
    gauge.Set(value);
    for (const auto& [known, entry] : gauges_) {
      if (known == &family && entry == &gauge) return;
    }
    gauges_.emplace_back(&family, &gauge);
  }

  Families& families_;
  const Labels labels_;
  Histogram* duration_ = nullptr;
  Histogram* queue_ = nullptr;
  Histogram* compute_ = nullptr;
  Histogram* batch_size_ = nullptr;
  Counter* executions_ = nullptr;
  Counter* samples_ = nullptr;
  std::array<std::atomic<Counter*>, kStatusCodes> counters_{};
  std::vector<std::pair<Family<Gauge>*, Gauge*>> gauges_;  // guarded by Metrics::mutex_

  mutable absl::Mutex mutex_;
  VariantStatistics statistics_ ABSL_GUARDED_BY(mutex_);
};

class Metrics::Handle final : public VariantSeries {
 public:
  Handle(Metrics& metrics, VariantLabels labels, Series& series)
      : metrics_(metrics), labels_(std::move(labels)), series_(series) {}

  ~Handle() override {
    absl::MutexLock lock(&metrics_.mutex_);
    if (--series_.holders == 0) metrics_.series_.erase(labels_);
  }

  void RequestDone(absl::StatusCode status, absl::Duration duration) override {
    series_.RequestDone(status, duration);
  }
  void Executed(const Execution& execution) override { series_.Executed(execution); }
  VariantStatistics statistics() const override { return series_.statistics(); }

 private:
  Metrics& metrics_;
  const VariantLabels labels_;
  Series& series_;
};

Metrics::Metrics(std::string server_version)
    : server_version_(std::move(server_version)), families_(std::make_unique<Families>()) {}
Metrics::~Metrics() = default;

std::shared_ptr<VariantSeries> Metrics::ForVariant(const VariantLabels& labels,
                                                   const VariantFigures& figures) {
  absl::MutexLock lock(&mutex_);
  std::unique_ptr<Series>& series = series_[labels];
  if (!series) series = std::make_unique<Series>(*families_, labels);
  series->SetFigures(figures);
  ++series->holders;
  return std::make_shared<Handle>(*this, labels, *series);
}

void Metrics::UnroutedRequest(absl::StatusCode status) {
  families_->requests
      .Add({{"model", ""}, {"version", ""}, {"variant", ""}, {"status", StatusText(status)}})
      .Increment();
}

void Metrics::QueuedRequests(int64_t count) { families_->queued.Set(static_cast<double>(count)); }

void Metrics::QueueLimit(int64_t count) { families_->queue_limit.Set(static_cast<double>(count)); }

void Metrics::Rejected(Rejection reason) {
  families_->rejected[static_cast<size_t>(reason)]->Increment();
}

void Metrics::PresentJobs(int64_t queued, int64_t running) {
  families_->jobs_queued.Set(static_cast<double>(queued));
  families_->jobs_running.Set(static_cast<double>(running));
}

void Metrics::JobEnded(JobOutcome outcome) {
  families_->ended[static_cast<size_t>(outcome)]->Increment();
}

std::string Metrics::Text() const {
  return prometheus::TextSerializer().Serialize(families_->registry.Collect()) +
         ProcessMetricsText({.version = server_version_});
}

std::string Metrics::TritonText() const {
  std::map<VariantLabels, VariantStatistics> statistics;
  {
    absl::MutexLock lock(&mutex_);
    for (const auto& [labels, series] : series_) statistics.emplace(labels, series->statistics());
  }
  return telemetry::TritonText(statistics);
}

}  // namespace fourfold::telemetry
