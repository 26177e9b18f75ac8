#include <vector>

#include "absl/strings/str_cat.h"
#include "loadtest/percentile_plot.h"
#include "loadtest/report.h"

namespace fourfold::loadtest {
namespace {

constexpr const char* kStyle = R"(
:root { color-scheme: light dark; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
pre { font: 13px/1.45 ui-monospace, monospace; overflow-x: auto; }
svg { width: 100%; height: auto; font: 12px system-ui, sans-serif; }
svg text { fill: currentColor; }
.axes line { stroke: currentColor; stroke-opacity: 0.15; }
.doubt { border-left: 4px solid #d1605e; padding-left: 0.8rem; }
)";

std::vector<PlotLine> Lines(const Report& report) {
  std::vector<PlotLine> lines;
  if (report.compares()) {
    for (const TargetReport& target : report.targets) {
      lines.push_back({target.label, &target.figures.latency});
    }
  } else if (report.options.loop == Loop::kOpen) {
    lines.push_back({"from intended sending", &report.all.latency});
    lines.push_back({"from actual sending", &report.all.latency_from_send});
  } else {
    lines.push_back({"from sending", &report.all.latency});
  }
  return lines;
}

}  // namespace

std::string ReportToHtml(const Report& report) {
  const Environment& environment = report.environment;
  std::string doubts;
  for (const std::string& doubt : report.generator.doubts) {
    absl::StrAppend(&doubts, "<p class=\"doubt\">", EscapeHtml(doubt),
                    ": figures are not to be trusted.</p>\n");
  }
  return absl::StrCat(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>Load test "
      "of ",
      EscapeHtml(report.options.model), "</title>\n<style>", kStyle,
      "</style>\n</head>\n<body>\n<h1>Load test of ", EscapeHtml(report.options.model), "</h1>\n",
      doubts, PercentilePlot(Lines(report)), "\n<pre>", EscapeHtml(ReportToTable(report)),
      "</pre>\n<p>",
      EscapeHtml(absl::StrCat(environment.started_utc, ", ", environment.cpu_model, ", ",
                              environment.cores, " cores, load average ", environment.load_average,
                              ", ", environment.kernel, ", fourfold-loadtest ",
                              environment.generator, ", seed ", report.options.seed)),
      "</p>\n</body>\n</html>\n");
}

}  // namespace fourfold::loadtest
