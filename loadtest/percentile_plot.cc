#include "loadtest/percentile_plot.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"

namespace fourfold::loadtest {
namespace {

constexpr double kWidth = 860;
constexpr double kHeight = 420;
constexpr double kLeft = 70;
constexpr double kRight = 20;
constexpr double kTop = 32;
constexpr double kBottom = 50;
constexpr std::array kColours = {"#3572b0", "#d1605e", "#4a9c5d", "#b07aa1",
                                 "#e08214", "#5ab4ac", "#8c6d31", "#7f7f7f"};

// Where values lie on the page.
struct Scale {
  double nines;     // of the percentile axis: 3 means up to 99.9%
  double low_log;   // log10 of the lowest latency shown, milliseconds
  double high_log;  // ... and of the highest

  double X(double at_nines) const { return kLeft + (kWidth - kLeft - kRight) * at_nines / nines; }
  double Y(double ms) const {
    const double share = (std::log10(std::max(ms, 1e-6)) - low_log) / (high_log - low_log);
    return kHeight - kBottom - (kHeight - kTop - kBottom) * share;
  }
};

double Nines(double share) { return -std::log10(1 - share); }

double ToMs(Histogram::Duration time) { return static_cast<double>(time.count()) * 1e-6; }

Scale ScaleFor(std::span<const PlotLine> lines) {
  int64_t count = 1;
  double low = 1e9;
  double high = 1e-3;
  for (const PlotLine& line : lines) {
    if (line.histogram->count() == 0) continue;
    count = std::max(count, line.histogram->count());
    low = std::min(low, ToMs(line.histogram->min()));
    high = std::max(high, ToMs(line.histogram->max()));
  }
  low = std::clamp(low, 1e-3, high);
  const double nines = std::max(1.0, std::log10(static_cast<double>(count)));
  return {nines, std::floor(std::log10(low) * 5) / 5 - 0.1,
          std::ceil(std::log10(high) * 5) / 5 + 0.1};
}

std::string Line(double x1, double y1, double x2, double y2) {
  return absl::StrFormat("<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>", x1, y1, x2, y2);
}

std::string Text(double x, double y, const char* anchor, const std::string& text) {
  return absl::StrFormat("<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">%s</text>", x, y, anchor,
                         EscapeHtml(text));
}

std::string Axes(const Scale& scale) {
  std::string svg = "<g class=\"axes\">";
  const double bottom = kHeight - kBottom;
  for (int nine = 0; nine <= static_cast<int>(scale.nines); ++nine) {
    const double x = scale.X(nine);
    const std::string label = nine == 0 ? "0%"
                                        : absl::StrFormat("%.*f%%", std::max(0, nine - 2),
                                                          100 * (1 - std::pow(10, -nine)));
    absl::StrAppend(&svg, Line(x, kTop, x, bottom), Text(x, bottom + 18, "middle", label));
  }
  for (int decade = static_cast<int>(std::floor(scale.low_log)); decade <= scale.high_log;
       ++decade) {
    for (const int step : {1, 2, 5}) {
      const double ms = step * std::pow(10.0, decade);
      if (std::log10(ms) < scale.low_log || std::log10(ms) > scale.high_log) continue;
      absl::StrAppend(&svg, Line(kLeft, scale.Y(ms), kWidth - kRight, scale.Y(ms)),
                      Text(kLeft - 8, scale.Y(ms) + 4, "end", absl::StrFormat("%g", ms)));
    }
  }
  absl::StrAppend(&svg, Text(kWidth / 2, kHeight - 12, "middle", "percentile"),
                  Text(kLeft - 8, kTop - 18, "end", "ms"));
  return svg + "</g>";
}

std::string Curve(const PlotLine& line, const Scale& scale, const char* colour) {
  const double end = Nines(1 - 1 / static_cast<double>(line.histogram->count() + 1));
  std::string points;
  constexpr int kPoints = 400;
  for (int i = 0; i <= kPoints; ++i) {
    const double nines = std::min(end, scale.nines) * i / kPoints;
    const double share = 1 - std::pow(10, -nines);
    absl::StrAppendFormat(&points, "%.1f,%.1f ", scale.X(nines),
                          scale.Y(ToMs(line.histogram->Quantile(share))));
  }
  return absl::StrFormat("<polyline fill=\"none\" stroke=\"%s\" stroke-width=\"2\" points=\"%s\"/>",
                         colour, points);
}

}  // namespace

std::string EscapeHtml(const std::string& text) {
  return absl::StrReplaceAll(
      text, {{"&", "&amp;"}, {"<", "&lt;"}, {">", "&gt;"}, {"\"", "&quot;"}, {"'", "&#39;"}});
}

std::string PercentilePlot(std::span<const PlotLine> lines) {
  const Scale scale = ScaleFor(lines);
  std::string svg = absl::StrFormat(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %g %g\" role=\"img\" "
      "aria-label=\"latency over percentile\">",
      kWidth, kHeight);
  svg += Axes(scale);
  // At the lower right: curves rise to the right.
  const double legend_x = kWidth - kRight - 190;
  double legend = kHeight - kBottom - 18 * static_cast<double>(lines.size());
  for (size_t i = 0; i < lines.size(); ++i) {
    if (lines[i].histogram->count() == 0) continue;
    const char* colour = kColours[i % kColours.size()];
    absl::StrAppend(&svg, Curve(lines[i], scale, colour));
    absl::StrAppendFormat(
        &svg, "<line x1=\"%g\" y1=\"%g\" x2=\"%g\" y2=\"%g\" stroke=\"%s\" stroke-width=\"3\"/>",
        legend_x, legend - 4, legend_x + 24, legend - 4, colour);
    absl::StrAppend(&svg, Text(legend_x + 32, legend, "start", lines[i].label));
    legend += 18;
  }
  return svg + "</svg>";
}

}  // namespace fourfold::loadtest
