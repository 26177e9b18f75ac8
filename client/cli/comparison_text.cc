#include "client/cli/comparison_text.h"

#include <cmath>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "client/cli/table.h"
#include "nlohmann/json.hpp"

namespace fourfold::cli {
namespace {

using client::Comparison;
using client::VariantReport;
using nlohmann::ordered_json;

ordered_json VariantToJson(const VariantReport& variant) {
  ordered_json json;
  json["variant"] = variant.variant;
  json["default"] = variant.is_default;
  json["size"] = {{"file_bytes", variant.size.file_bytes},
                  {"weight_bytes", variant.size.weight_bytes},
                  {"resident_bytes", variant.size.resident_bytes}};
  if (const auto& latency = variant.latency) {
    json["latency"] = {
        {"batch", latency->batch},   {"threads", latency->threads},
        {"p50_ms", latency->p50_ms}, {"p90_ms", latency->p90_ms},
        {"p99_ms", latency->p99_ms}, {"throughput_per_s", latency->throughput_per_s}};
  }
  json["accuracy"] = ordered_json::object();
  if (const auto& labelled = variant.labelled) {
    json["accuracy"]["labelled"] = {
        {"samples", labelled->samples}, {"top1", labelled->top1}, {"top5", labelled->top5}};
  }
  if (const auto& fidelity = variant.fidelity) {
    json["accuracy"]["fidelity"] = {{"samples", fidelity->samples},
                                    {"top1_agreement", fidelity->top1_agreement},
                                    {"agreement_low95", fidelity->agreement_low95},
                                    {"sqnr_db", fidelity->sqnr_db},
                                    {"cosine", fidelity->cosine}};
  }
  json["executed"] = {{"int8_macs", variant.executed.int8_macs},
                      {"fp16_macs", variant.executed.fp16_macs},
                      {"kernels", ordered_json::object()},
                      {"note", variant.executed.note}};
  for (const auto& [operation, implementation] : variant.executed.kernels) {
    json["executed"]["kernels"][operation] = implementation;
  }
  if (const auto& versus = variant.versus_fp32) {
    json["versus_fp32"] = {{"speedup", versus->speedup},
                           {"size_ratio", versus->size_ratio},
                           {"top1_delta", versus->top1_delta}};
  }
  json["sha256"] = variant.sha256;
  return json;
}

// A share as people read it: "97.25%".
std::string Percent(double share) { return absl::StrFormat("%.2f%%", 100 * share); }

// A difference of shares in percentage points: "+0.12", "-1.50".
std::string Points(double delta) { return absl::StrFormat("%+.2f", 100 * delta); }

std::string Kernels(const VariantReport& variant) {
  return absl::StrJoin(variant.executed.kernels, ", ", absl::PairFormatter(" "));
}

std::vector<std::string> TableRow(const VariantReport& variant) {
  const auto& latency = variant.latency;
  const auto& labelled = variant.labelled;
  const auto& fidelity = variant.fidelity;
  const auto& versus = variant.versus_fp32;
  const std::string none = "-";
  return {
      absl::StrCat(variant.variant, variant.is_default ? " *" : ""),
      FormatBytes(variant.size.file_bytes),
      versus ? FormatFixed(versus->size_ratio, 2) : none,
      latency ? FormatFixed(latency->p50_ms, 3) : none,
      latency ? FormatFixed(latency->p99_ms, 3) : none,
      latency ? FormatFixed(latency->throughput_per_s, 1) : none,
      versus && versus->speedup > 0 ? absl::StrCat(FormatFixed(versus->speedup, 2), "x") : none,
      labelled ? Percent(labelled->top1) : none,
      labelled && versus ? Points(versus->top1_delta) : none,
      fidelity ? Percent(fidelity->top1_agreement) : none,
      fidelity ? Percent(fidelity->agreement_low95) : none,
      fidelity ? FormatFixed(fidelity->sqnr_db, 1) : none,
      Percent(variant.executed.int8_macs),
      Kernels(variant),
  };
}

// One line about how the numbers came about, from the first variant that has them.
std::string Heading(const Comparison& comparison) {
  std::string text = absl::StrCat(
      comparison.model, " version ", comparison.version, ", measured on ", comparison.cpu_isa,
      " with ", comparison.cpu_threads, comparison.cpu_threads == 1 ? " thread" : " threads");
  for (const VariantReport& variant : comparison.variants) {
    if (!variant.latency) continue;
    absl::StrAppend(&text, "; latency of batch ", variant.latency->batch, " on ",
                    variant.latency->threads,
                    variant.latency->threads == 1 ? " thread" : " threads");
    break;
  }
  for (const VariantReport& variant : comparison.variants) {
    if (!variant.labelled) continue;
    absl::StrAppend(&text, "; top-1 of ", variant.labelled->samples, " labelled samples");
    break;
  }
  for (const VariantReport& variant : comparison.variants) {
    if (!variant.fidelity) continue;
    absl::StrAppend(&text, "; agreement with fp32 on ", variant.fidelity->samples, " samples");
    break;
  }
  return text;
}

std::string CsvCell(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
  return quoted + "\"";
}

// Enough digits to read the same double again.
std::string Exact(double value) {
  if (!std::isfinite(value)) return "";
  return ordered_json(value).dump();
}

}  // namespace

ordered_json ComparisonToJson(const Comparison& comparison) {
  ordered_json json;
  json["model"] = comparison.model;
  json["version"] = comparison.version;
  json["cpu"] = {{"isa", comparison.cpu_isa}, {"threads", comparison.cpu_threads}};
  json["warnings"] = comparison.warnings;
  json["variants"] = ordered_json::array();
  for (const VariantReport& variant : comparison.variants) {
    json["variants"].push_back(VariantToJson(variant));
  }
  return json;
}

std::string ComparisonToTable(const Comparison& comparison) {
  Table table;
  table.AddColumn("variant", Align::kLeft);
  table.AddColumn("file", Align::kRight);
  table.AddColumn("of fp32", Align::kRight);
  table.AddColumn("p50 ms", Align::kRight);
  table.AddColumn("p99 ms", Align::kRight);
  table.AddColumn("samples/s", Align::kRight);
  table.AddColumn("speed-up", Align::kRight);
  table.AddColumn("top-1", Align::kRight);
  table.AddColumn("points", Align::kRight);
  table.AddColumn("agreement", Align::kRight);
  table.AddColumn("low 95%", Align::kRight);
  table.AddColumn("SQNR dB", Align::kRight);
  table.AddColumn("int8 MACs", Align::kRight);
  table.AddColumn("kernels", Align::kLeft);
  std::string notes;
  for (const VariantReport& variant : comparison.variants) {
    table.AddRow(TableRow(variant));
    if (variant.is_default) {
      absl::StrAppend(&notes, "* answers requests that name only \"", comparison.model, "\"\n");
    }
    if (!variant.executed.note.empty()) {
      absl::StrAppend(&notes, variant.variant, ": ", variant.executed.note, "\n");
    }
  }
  for (const std::string& warning : comparison.warnings) {
    absl::StrAppend(&notes, "warning: ", warning, "\n");
  }
  return absl::StrCat(Heading(comparison), "\n\n", table.Render(), notes.empty() ? "" : "\n",
                      notes);
}

std::string ComparisonToCsv(const Comparison& comparison) {
  std::string text =
      "model,version,variant,default,file_bytes,weight_bytes,resident_bytes,batch,threads,p50_ms,"
      "p90_ms,p99_ms,throughput_per_s,labelled_samples,top1,top5,fidelity_samples,top1_agreement,"
      "agreement_low95,sqnr_db,cosine,int8_macs,fp16_macs,kernels,speedup,size_ratio,top1_"
      "delta\r\n";
  for (const VariantReport& variant : comparison.variants) {
    std::vector<std::string> cells = {comparison.model,
                                      absl::StrCat(comparison.version),
                                      variant.variant,
                                      variant.is_default ? "true" : "false",
                                      absl::StrCat(variant.size.file_bytes),
                                      absl::StrCat(variant.size.weight_bytes),
                                      absl::StrCat(variant.size.resident_bytes)};
    const auto add = [&cells](bool measured, std::vector<std::string> values) {
      for (std::string& value : values) cells.push_back(measured ? std::move(value) : "");
    };
    const auto latency = variant.latency.value_or(client::LatencyReport());
    add(variant.latency.has_value(),
        {absl::StrCat(latency.batch), absl::StrCat(latency.threads), Exact(latency.p50_ms),
         Exact(latency.p90_ms), Exact(latency.p99_ms), Exact(latency.throughput_per_s)});
    const auto labelled = variant.labelled.value_or(client::LabelledReport());
    add(variant.labelled.has_value(),
        {absl::StrCat(labelled.samples), Exact(labelled.top1), Exact(labelled.top5)});
    const auto fidelity = variant.fidelity.value_or(client::FidelityReport());
    add(variant.fidelity.has_value(),
        {absl::StrCat(fidelity.samples), Exact(fidelity.top1_agreement),
         Exact(fidelity.agreement_low95), Exact(fidelity.sqnr_db), Exact(fidelity.cosine)});
    add(true, {Exact(variant.executed.int8_macs), Exact(variant.executed.fp16_macs),
               absl::StrJoin(variant.executed.kernels, ";", absl::PairFormatter("="))});
    const auto versus = variant.versus_fp32.value_or(client::VersusReport());
    add(variant.versus_fp32.has_value(),
        {Exact(versus.speedup), Exact(versus.size_ratio), Exact(versus.top1_delta)});
    absl::StrAppend(&text,
                    absl::StrJoin(cells, ",",
                                  [](std::string* out, const std::string& cell) {
                                    absl::StrAppend(out, CsvCell(cell));
                                  }),
                    "\r\n");
  }
  return text;
}

}  // namespace fourfold::cli
