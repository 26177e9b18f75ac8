#include "server/telemetry/triton_text.h"

#include <functional>
#include <string>

#include "absl/strings/str_cat.h"

namespace fourfold::telemetry {
namespace {

using All = std::map<VariantLabels, VariantStatistics>;

// Names of models and variants hold nothing that would have to be escaped.
std::string LabelText(const VariantLabels& labels) {
  return absl::StrCat("model=\"", labels.model, "\",version=\"", labels.version, "\",variant=\"",
                      labels.variant, "\"");
}

void Head(const char* name, const char* help, std::string* text) {
  absl::StrAppend(text, "# HELP ", name, " ", help, "\n# TYPE ", name, " counter\n");
}

void Append(const All& all, const char* name, const char* help,
            const std::function<int64_t(const VariantStatistics&)>& value, std::string* text) {
  Head(name, help, text);
  for (const auto& [labels, statistics] : all) {
    absl::StrAppend(text, name, "{", LabelText(labels), "} ", value(statistics), "\n");
  }
}

const char* Reason(absl::StatusCode status) {
  switch (status) {
    case absl::StatusCode::kResourceExhausted:
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kDeadlineExceeded: return "REJECTED";
    case absl::StatusCode::kCancelled: return "CANCELED";
    case absl::StatusCode::kInternal: return "BACKEND";
    default: return "OTHER";
  }
}

void AppendFailures(const All& all, std::string* text) {
  constexpr char kName[] = "nv_inference_request_failure";
  Head(kName, "Requests that failed, by reason.", text);
  for (const auto& [labels, statistics] : all) {
    std::map<std::string, int64_t> reasons = {
        {"REJECTED", 0}, {"CANCELED", 0}, {"BACKEND", 0}, {"OTHER", 0}};
    for (const auto& [status, count] : statistics.failures) reasons[Reason(status)] += count;
    for (const auto& [reason, count] : reasons) {
      absl::StrAppend(text, kName, "{", LabelText(labels), ",reason=\"", reason, "\"} ", count,
                      "\n");
    }
  }
}

}  // namespace

std::string TritonText(const All& all) {
  std::string text;
  const auto count = [&](const char* name, const char* help, auto field) {
    Append(all, name, help, field, &text);
  };
  const auto microseconds = [&](const char* name, const char* help,
                                DurationSum VariantStatistics::*field) {
    Append(
        all, name, help,
        [field](const VariantStatistics& s) { return absl::ToInt64Microseconds((s.*field).total); },
        &text);
  };
  using S = VariantStatistics;
  count("nv_inference_request_success", "Requests that were answered.",
        [](const S& s) { return s.success.count; });
  AppendFailures(all, &text);
  count("nv_inference_count", "Samples inferred.", [](const S& s) { return s.samples; });
  count("nv_inference_exec_count", "Executions, each of one batch.",
        [](const S& s) { return s.executions; });
  microseconds("nv_inference_request_duration_us", "Time of requests, all together.", &S::success);
  microseconds("nv_inference_queue_duration_us", "Of it in the queue.", &S::queue);
  microseconds("nv_inference_compute_input_duration_us", "Of it preparing inputs.", &S::input);
  microseconds("nv_inference_compute_infer_duration_us", "Of it executing.", &S::compute);
  microseconds("nv_inference_compute_output_duration_us", "Of it preparing outputs.", &S::output);
  return text;
}

}  // namespace fourfold::telemetry
