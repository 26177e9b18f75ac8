#include "server/tools/report_text.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/cli/layers_text.h"
#include "client/cli/table.h"

namespace fourfold::tools {

std::string ReportToTable(const report::Report& report) {
  using cli::Align;
  cli::Table table;
  table.AddColumn("variant", Align::kLeft);
  for (const char* title : {"file", "of fp32", "p50 ms", "p99 ms", "speed-up", "top-1", "agreement",
                            "SQNR dB", "int8 MACs"}) {
    table.AddColumn(title, Align::kRight);
  }
  table.AddColumn("kernels", Align::kLeft);
  for (const report::Variant& variant : report.variants) {
    std::string kernels;
    for (const auto& [operation, implementation] : variant.executed.kernels) {
      absl::StrAppend(&kernels, kernels.empty() ? "" : ", ", operation, "=", implementation);
    }
    table.AddRow(
        {absl::StrCat(variant.variant, variant.is_default ? " *" : ""),
         cli::FormatBytes(variant.size.file_bytes),
         absl::StrFormat("%.2f", variant.versus_fp32.size_ratio),
         absl::StrFormat("%.3f", variant.latency.p50_ms),
         absl::StrFormat("%.3f", variant.latency.p99_ms),
         absl::StrFormat("%.2fx", variant.versus_fp32.speedup),
         variant.labelled ? absl::StrFormat("%.4f", variant.labelled->top1) : "-",
         variant.fidelity ? absl::StrFormat("%.4f", variant.fidelity->top1_agreement) : "-",
         variant.fidelity ? absl::StrFormat("%.1f", variant.fidelity->sqnr_db) : "-",
         absl::StrFormat("%.2f", variant.executed.int8_macs), kernels});
  }
  std::string text = table.Render();
  absl::StrAppend(&text, "* default. CPU: ", report.cpu_isa, ", ", report.cpu_threads,
                  report.cpu_threads == 1 ? " thread" : " threads", ", batch 1.\n");
  for (const std::string& warning : report.warnings)
    absl::StrAppend(&text, "warning: ", warning, "\n");
  return text;
}

std::string LayersOfVariants(const report::Report& report) {
  std::string text;
  for (const report::Variant& variant : report.variants) {
    std::vector<cli::LayerRow> rows;
    for (const report::Layer& layer : variant.executed.layers) {
      rows.push_back({layer.node, layer.operation, layer.output, layer.precision, layer.kernel,
                      layer.macs, layer.why_not_int8});
    }
    absl::StrAppend(&text, "\n", variant.variant, "\n", cli::LayersToTable(rows));
  }
  return text;
}

}  // namespace fourfold::tools
