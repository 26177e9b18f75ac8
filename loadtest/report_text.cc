#include <algorithm>
#include <cmath>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/cli/table.h"
#include "loadtest/report.h"

namespace fourfold::loadtest {
namespace {

using cli::Align;
using cli::FormatFixed;
using cli::Table;

std::string Ms(double milliseconds) {
  return FormatFixed(milliseconds, std::abs(milliseconds) < 100 ? 3 : 1);
}
std::string Ms(std::chrono::nanoseconds time) { return Ms(Milliseconds(time)); }

std::string Heading(const Report& report) {
  const Options& options = report.options;
  std::string load = absl::StrCat("closed loop, concurrency ", options.concurrency);
  if (options.loop == Loop::kOpen) {
    load = absl::StrFormat("open loop, %g requests/s, %s arrivals", options.rate_per_s,
                           options.arrivals == Arrivals::kPoisson ? "Poisson" : "constant");
  }
  const std::string server =
      absl::StrCat(report.environment.server_name, " ", report.environment.server_version);
  return absl::StrFormat(
      "%s at %s (%s): %s\n%.1f s measured after %.1f s of warm-up, batch %d, %d different inputs, "
      "%d connection%s%s\n\n",
      options.model, options.address, server, load, report.elapsed_s,
      Milliseconds(options.warmup) / 1000, options.batch, report.inputs, options.connections,
      options.connections == 1 ? "" : "s", report.interrupted ? "; ended early by a signal" : "");
}

std::vector<std::string> LatencyRow(const std::string& title, const Histogram& latency) {
  return {title,
          Ms(latency.MeanNs() * 1e-6),
          Ms(latency.Quantile(0.5)),
          Ms(latency.Quantile(0.9)),
          Ms(latency.Quantile(0.95)),
          Ms(latency.Quantile(0.99)),
          Ms(latency.Quantile(0.999)),
          Ms(latency.max())};
}

// How far counting from the actual sending would have hidden latency.
std::vector<std::string> GapRow(const Histogram& intended, const Histogram& sent) {
  std::vector<std::string> row = {"gap", Ms((intended.MeanNs() - sent.MeanNs()) * 1e-6)};
  for (const double share : {0.5, 0.9, 0.95, 0.99, 0.999}) {
    row.push_back(Ms(intended.Quantile(share) - sent.Quantile(share)));
  }
  row.push_back(Ms(intended.max() - sent.max()));
  return row;
}

std::string LatencyTable(const Report& report) {
  Table table;
  table.AddColumn("latency, ms", Align::kLeft);
  for (const char* title : {"mean", "p50", "p90", "p95", "p99", "p99.9", "max"}) {
    table.AddColumn(title, Align::kRight);
  }
  const Figures& all = report.all;
  if (report.options.loop == Loop::kClosed) {
    table.AddRow(LatencyRow("from sending", all.latency));
  } else {
    table.AddRow(LatencyRow("from intended sending", all.latency));
    table.AddRow(LatencyRow("from actual sending", all.latency_from_send));
    table.AddRow(GapRow(all.latency, all.latency_from_send));
  }
  return table.Render();
}

std::string StatusTable(const Report& report) {
  Table table;
  table.AddColumn("status", Align::kLeft);
  table.AddColumn("count", Align::kRight);
  table.AddColumn("share", Align::kRight);
  for (const auto& [code, count] : report.all.statuses) {
    table.AddRow({absl::StatusCodeToString(code), absl::StrCat(count),
                  absl::StrFormat("%.2f%%", 100 * static_cast<double>(count) /
                                                static_cast<double>(report.all.ended()))});
  }
  std::string text = table.Render();
  if (!report.all.first_error.empty()) {
    absl::StrAppend(&text, "first error: ", report.all.first_error, "\n");
  }
  return text;
}

std::string RatioText(const TargetReport& target, const Report& report) {
  if (target.label == report.ratio_reference) return "1";
  return target.ratio.rounds == 0 ? "-" : absl::StrFormat("%.3f", target.ratio.ratio);
}

std::string IntervalText(const TargetReport& target, const Report& report) {
  const Interval& interval = target.ratio.interval95;
  if (target.label == report.ratio_reference || !std::isfinite(interval.high)) return "-";
  return absl::StrFormat("%.3f to %.3f", interval.low, interval.high);
}

std::string SqnrText(const AnswerFigures& answers) {
  const std::optional<double> sqnr = answers.difference.SqnrDb();
  if (sqnr.has_value()) return FormatFixed(*sqnr, 1);
  return answers.checked > 0 ? "equal" : "-";
}

std::string CompareTables(const Report& report) {
  Table latency;
  latency.AddColumn("variant", Align::kLeft);
  for (const char* title : {"answered", "share", "p50 ms", "p99 ms", "mean ms", "per busy s"}) {
    latency.AddColumn(title, Align::kRight);
  }
  latency.AddColumn(absl::StrCat("latency / ", report.ratio_reference), Align::kRight);
  latency.AddColumn("95% interval", Align::kRight);
  latency.AddColumn("file", Align::kRight);
  Table answers;
  answers.AddColumn("variant", Align::kLeft);
  for (const char* title : {"checked", "same class", "of", "share", "largest difference", "SQNR dB",
                            "inconsistent", "malformed"}) {
    answers.AddColumn(title, Align::kRight);
  }
  for (const TargetReport& target : report.targets) {
    const Figures& figures = target.figures;
    latency.AddRow(
        {target.label, absl::StrCat(figures.ok()),
         absl::StrFormat("%.1f%%", 100 * static_cast<double>(figures.ok()) /
                                       static_cast<double>(std::max<int64_t>(1, report.all.ok()))),
         Ms(figures.latency.Quantile(0.5)), Ms(figures.latency.Quantile(0.99)),
         Ms(figures.latency.MeanNs() * 1e-6), FormatFixed(AnswersPerBusySecond(figures), 1),
         RatioText(target, report), IntervalText(target, report),
         target.file_bytes.has_value() ? cli::FormatBytes(*target.file_bytes) : "-"});
    const Difference& difference = target.answers.difference;
    const double agreement =
        static_cast<double>(difference.rows_agree) / static_cast<double>(difference.rows);
    answers.AddRow({target.label, absl::StrCat(target.answers.checked),
                    difference.rows > 0 ? absl::StrCat(difference.rows_agree) : "-",
                    difference.rows > 0 ? absl::StrCat(difference.rows) : "-",
                    difference.rows > 0 ? absl::StrFormat("%.2f%%", 100 * agreement) : "-",
                    absl::StrFormat("%.2e", difference.largest), SqnrText(target.answers),
                    absl::StrCat(target.answers.inconsistent),
                    absl::StrCat(target.answers.malformed)});
  }
  std::string text = latency.Render();
  absl::StrAppend(&text, "ratio: geometric mean over ", report.targets.front().ratio.rounds,
                  " rounds, each with one request per variant; interval by batch means\n\n",
                  "answers against ", report.answer_reference, " on the same inputs:\n",
                  answers.Render());
  for (const TargetReport& target : report.targets) {
    if (target.answers.malformed > 0) {
      absl::StrAppend(&text, target.label, ": ", target.answers.first_malformed, "\n");
    }
  }
  return text;
}

std::string GeneratorText(const GeneratorReport& generator, Loop loop) {
  std::string text = "generator: ";
  if (loop == Loop::kOpen) {
    absl::StrAppendFormat(
        &text, "%.2f%% of %d sends later than %.1f ms, p99 %s ms, largest %s ms; ",
        100 * generator.late_share, generator.sends, Milliseconds(generator.late_threshold),
        Ms(generator.late_p99), Ms(generator.late_max));
  }
  absl::StrAppendFormat(&text, "%.0f%% of the CPUs\n", 100 * generator.cpu_share);
  for (const std::string& doubt : generator.doubts) {
    absl::StrAppend(&text, doubt, ": figures are not to be trusted\n");
  }
  return text;
}

}  // namespace

std::string ReportToTable(const Report& report) {
  const Figures& all = report.all;
  std::string text = Heading(report);
  if (report.compares()) absl::StrAppend(&text, CompareTables(report), "\nall together:\n");
  absl::StrAppend(&text, LatencyTable(report), "\n", StatusTable(report), "\n");
  absl::StrAppendFormat(&text, "throughput %.1f answers/s, goodput %.1f/s (OK within %g ms%s)\n",
                        report.PerSecond(all.ok()), report.PerSecond(all.good),
                        Milliseconds(report.options.timeout),
                        report.options.loop == Loop::kOpen ? " of the intended time" : "");
  if (all.ended() > all.ok()) {
    absl::StrAppendFormat(&text, "%d failed requests are not in the latencies\n",
                          all.ended() - all.ok());
  }
  if (all.latency.beyond() > 0) {
    absl::StrAppendFormat(&text, "%d latencies of more than an hour count as an hour\n",
                          all.latency.beyond());
  }
  return absl::StrCat(text, GeneratorText(report.generator, report.options.loop));
}

}  // namespace fourfold::loadtest
