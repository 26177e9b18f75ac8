#include <cmath>

#include "absl/status/status.h"
#include "loadtest/report.h"
#include "nlohmann/json.hpp"

namespace fourfold::loadtest {
namespace {

using nlohmann::ordered_json;

ordered_json LatencyJson(const Histogram& latency) {
  return {{"count", latency.count()},
          {"mean_ms", latency.MeanNs() * 1e-6},
          {"deviation_ms", latency.DeviationNs() * 1e-6},
          {"min_ms", Milliseconds(latency.min())},
          {"p50_ms", Milliseconds(latency.Quantile(0.5))},
          {"p90_ms", Milliseconds(latency.Quantile(0.9))},
          {"p95_ms", Milliseconds(latency.Quantile(0.95))},
          {"p99_ms", Milliseconds(latency.Quantile(0.99))},
          {"p99_9_ms", Milliseconds(latency.Quantile(0.999))},
          {"max_ms", Milliseconds(latency.max())}};
}

// What differs between the latencies from intended and from actual sending.
ordered_json GapJson(const Histogram& intended, const Histogram& sent) {
  const auto gap = [&](double share) {
    return Milliseconds(intended.Quantile(share) - sent.Quantile(share));
  };
  return {{"mean_ms", (intended.MeanNs() - sent.MeanNs()) * 1e-6},
          {"p50_ms", gap(0.5)},
          {"p99_ms", gap(0.99)},
          {"p99_9_ms", gap(0.999)},
          {"max_ms", Milliseconds(intended.max() - sent.max())}};
}

ordered_json StatusesJson(const Figures& figures) {
  ordered_json json = ordered_json::object();
  for (const auto& [code, count] : figures.statuses) {
    json[absl::StatusCodeToString(code)] = count;
  }
  return json;
}

ordered_json LoadJson(const Options& options) {
  ordered_json json;
  if (options.loop == Loop::kOpen) {
    json = {{"loop", "open"},
            {"rate_per_s", options.rate_per_s},
            {"arrivals", options.arrivals == Arrivals::kPoisson ? "poisson" : "constant"},
            {"in_flight_max", options.in_flight_max}};
  } else {
    json = {{"loop", "closed"}, {"concurrency", options.concurrency}};
  }
  json["connections"] = options.connections;
  json["batch"] = options.batch;
  json["warmup_s"] = Milliseconds(options.warmup) / 1000;
  json["timeout_ms"] = Milliseconds(options.timeout);
  json["seed"] = options.seed;
  return json;
}

ordered_json GeneratorJson(const GeneratorReport& generator) {
  return {{"trusted", generator.trusted()},
          {"doubts", generator.doubts},
          {"late_threshold_ms", Milliseconds(generator.late_threshold)},
          {"late_share", generator.late_share},
          {"late_p99_ms", Milliseconds(generator.late_p99)},
          {"late_max_ms", Milliseconds(generator.late_max)},
          {"not_sent", generator.not_sent},
          {"cpu_share", generator.cpu_share}};
}

ordered_json RatioJson(const LatencyRatio& ratio) {
  ordered_json json = {
      {"ratio", nullptr}, {"low95", nullptr}, {"high95", nullptr}, {"rounds", ratio.rounds}};
  if (ratio.rounds > 0) json["ratio"] = ratio.ratio;
  if (std::isfinite(ratio.interval95.high)) {
    json["low95"] = ratio.interval95.low;
    json["high95"] = ratio.interval95.high;
  }
  return json;
}

ordered_json AnswersJson(const AnswerFigures& answers) {
  const Difference& difference = answers.difference;
  ordered_json json = {{"checked", answers.checked},
                       {"samples", difference.rows},
                       {"same_class", difference.rows_agree},
                       {"top1_agreement", nullptr},
                       {"largest_difference", difference.largest},
                       {"sqnr_db", nullptr},
                       {"inconsistent", answers.inconsistent},
                       {"malformed", answers.malformed}};
  if (difference.rows > 0) {
    json["top1_agreement"] =
        static_cast<double>(difference.rows_agree) / static_cast<double>(difference.rows);
  }
  if (const auto sqnr = difference.SqnrDb(); sqnr.has_value()) json["sqnr_db"] = *sqnr;
  return json;
}

ordered_json TargetJson(const TargetReport& target, const Report& report) {
  const Figures& figures = target.figures;
  ordered_json json = {{"variant", target.label},
                       {"answered_by", target.answered_by},
                       {"requests", figures.ended()},
                       {"ok", figures.ok()},
                       {"share", report.all.ok() == 0 ? 0
                                                      : static_cast<double>(figures.ok()) /
                                                            static_cast<double>(report.all.ok())},
                       {"answers_per_busy_s", AnswersPerBusySecond(figures)},
                       {"statuses", StatusesJson(figures)},
                       {"latency", LatencyJson(figures.latency)},
                       {"latency_ratio", RatioJson(target.ratio)},
                       {"answers", AnswersJson(target.answers)}};
  if (target.file_bytes.has_value()) json["file_bytes"] = *target.file_bytes;
  if (target.resident_bytes.has_value()) json["resident_bytes"] = *target.resident_bytes;
  return json;
}

ordered_json EnvironmentJson(const Environment& environment) {
  return {{"started", environment.started_utc},
          {"cpu_model", environment.cpu_model},
          {"cores", environment.cores},
          {"load_average", environment.load_average},
          {"kernel", environment.kernel},
          {"generator_version", environment.generator},
          {"server_name", environment.server_name},
          {"server_version", environment.server_version}};
}

}  // namespace

std::string ReportToJson(const Report& report) {
  const Figures& all = report.all;
  ordered_json json = {{"model", report.options.model},
                       {"address", report.options.address},
                       {"answered_by", report.targets.front().answered_by},
                       {"load", LoadJson(report.options)},
                       {"inputs", report.inputs},
                       {"elapsed_s", report.elapsed_s},
                       {"interrupted", report.interrupted},
                       {"requests", all.ended()},
                       {"ok", all.ok()},
                       {"good", all.good},
                       {"statuses", StatusesJson(all)},
                       {"first_error", all.first_error},
                       {"throughput_per_s", report.PerSecond(all.ok())},
                       {"goodput_per_s", report.PerSecond(all.good)},
                       {"samples_per_s", report.PerSecond(all.ok() * report.options.batch)},
                       {"latency", LatencyJson(all.latency)}};
  if (report.options.loop == Loop::kOpen) {
    json["latency_from_send"] = LatencyJson(all.latency_from_send);
    json["gap"] = GapJson(all.latency, all.latency_from_send);
  }
  if (report.compares()) {
    json.erase("answered_by");
    json["ratio_reference"] = report.ratio_reference;
    json["answer_reference"] = report.answer_reference;
    json["variants"] = ordered_json::array();
    for (const TargetReport& target : report.targets) {
      json["variants"].push_back(TargetJson(target, report));
    }
  }
  json["generator"] = GeneratorJson(report.generator);
  json["environment"] = EnvironmentJson(report.environment);
  // Names come from the server: what is not UTF-8 is replaced.
  return json.dump(2, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace fourfold::loadtest
