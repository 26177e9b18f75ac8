#include "server/report/report.h"

#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"

namespace fourfold::report {
namespace {

using Json = nlohmann::ordered_json;

Json VariantToJson(const Variant& variant) {
  Json json;
  json["variant"] = variant.variant;
  json["default"] = variant.is_default;
  json["size"] = {{"file_bytes", variant.size.file_bytes},
                  {"weight_bytes", variant.size.weight_bytes},
                  {"resident_bytes", variant.size.resident_bytes}};
  json["latency"] = {
      {"batch", variant.latency.batch},   {"threads", variant.latency.threads},
      {"p50_ms", variant.latency.p50_ms}, {"p90_ms", variant.latency.p90_ms},
      {"p99_ms", variant.latency.p99_ms}, {"throughput_per_s", variant.latency.throughput_per_s}};
  Json accuracy = Json::object();
  if (variant.labelled) {
    accuracy["labelled"] = {{"samples", variant.labelled->samples},
                            {"top1", variant.labelled->top1},
                            {"top5", variant.labelled->top5}};
  }
  if (variant.fidelity) {
    accuracy["fidelity"] = {{"samples", variant.fidelity->samples},
                            {"top1_agreement", variant.fidelity->top1_agreement},
                            {"agreement_low95", variant.fidelity->agreement_low95},
                            {"sqnr_db", variant.fidelity->sqnr_db},
                            {"cosine", variant.fidelity->cosine}};
  }
  json["accuracy"] = std::move(accuracy);
  Json kernels = Json::object();
  for (const auto& [operation, implementation] : variant.executed.kernels) {
    kernels[operation] = implementation;
  }
  json["executed"] = {{"int8_macs", variant.executed.int8_macs},
                      {"fp16_macs", variant.executed.fp16_macs},
                      {"kernels", std::move(kernels)},
                      {"note", variant.executed.note}};
  for (const Layer& layer : variant.executed.layers) {
    json["executed"]["layers"].push_back({{"node", layer.node},
                                          {"operation", layer.operation},
                                          {"output", layer.output},
                                          {"precision", layer.precision},
                                          {"kernel", layer.kernel},
                                          {"macs", layer.macs},
                                          {"why_not_int8", layer.why_not_int8}});
  }
  json["versus_fp32"] = {{"speedup", variant.versus_fp32.speedup},
                         {"size_ratio", variant.versus_fp32.size_ratio},
                         {"top1_delta", variant.versus_fp32.top1_delta}};
  json["sha256"] = variant.sha256;
  return json;
}

// Reads fields of one JSON object; the first that is missing or of another type is the error.
class Fields {
 public:
  Fields(const Json& json, std::string path, absl::Status& status)
      : json_(json), path_(std::move(path)), status_(status) {
    if (!json_.is_object()) Fail("is no object");
  }

  template <typename T>
  void Read(const char* name, T& into) {
    if (!status_.ok()) return;
    const auto found = json_.find(name);
    if (found == json_.end()) return Fail(absl::StrCat("lacks \"", name, "\""));
    try {
      into = found->get<T>();
    } catch (const nlohmann::json::exception&) {
      Fail(absl::StrCat("has a \"", name, "\" of the wrong type: ", found->dump()));
    }
  }

  const Json& Child(const char* name) {
    static const Json kNothing;
    const auto found = json_.find(name);
    if (found == json_.end()) {
      Fail(absl::StrCat("lacks \"", name, "\""));
      return kNothing;
    }
    return *found;
  }

 private:
  void Fail(const std::string& what) {
    if (status_.ok())
      status_ = absl::InvalidArgumentError(absl::StrCat("report: ", path_, " ", what));
  }

  const Json& json_;
  const std::string path_;
  absl::Status& status_;
};

void ReadLayers(const Json& executed, const std::string& path, Variant& variant,
                absl::Status& status) {
  const auto layers = executed.find("layers");
  if (layers == executed.end()) return;
  for (const Json& entry : *layers) {
    Fields in(entry, path, status);
    if (!status.ok()) return;
    Layer& layer = variant.executed.layers.emplace_back();
    in.Read("node", layer.node);
    in.Read("operation", layer.operation);
    in.Read("output", layer.output);
    in.Read("precision", layer.precision);
    in.Read("kernel", layer.kernel);
    in.Read("macs", layer.macs);
    in.Read("why_not_int8", layer.why_not_int8);
  }
}

Variant VariantFromJson(const Json& json, const std::string& path, absl::Status& status) {
  Variant variant;
  Fields fields(json, path, status);
  if (!status.ok()) return variant;
  fields.Read("variant", variant.variant);
  fields.Read("default", variant.is_default);
  fields.Read("sha256", variant.sha256);
  Fields size(fields.Child("size"), path + ".size", status);
  size.Read("file_bytes", variant.size.file_bytes);
  size.Read("weight_bytes", variant.size.weight_bytes);
  size.Read("resident_bytes", variant.size.resident_bytes);
  Fields latency(fields.Child("latency"), path + ".latency", status);
  latency.Read("batch", variant.latency.batch);
  latency.Read("threads", variant.latency.threads);
  latency.Read("p50_ms", variant.latency.p50_ms);
  latency.Read("p90_ms", variant.latency.p90_ms);
  latency.Read("p99_ms", variant.latency.p99_ms);
  latency.Read("throughput_per_s", variant.latency.throughput_per_s);
  const Json& accuracy = fields.Child("accuracy");
  if (const auto labelled = accuracy.find("labelled"); labelled != accuracy.end()) {
    Fields in(*labelled, path + ".accuracy.labelled", status);
    variant.labelled.emplace();
    in.Read("samples", variant.labelled->samples);
    in.Read("top1", variant.labelled->top1);
    in.Read("top5", variant.labelled->top5);
  }
  if (const auto fidelity = accuracy.find("fidelity"); fidelity != accuracy.end()) {
    Fields in(*fidelity, path + ".accuracy.fidelity", status);
    variant.fidelity.emplace();
    in.Read("samples", variant.fidelity->samples);
    in.Read("top1_agreement", variant.fidelity->top1_agreement);
    in.Read("agreement_low95", variant.fidelity->agreement_low95);
    in.Read("sqnr_db", variant.fidelity->sqnr_db);
    in.Read("cosine", variant.fidelity->cosine);
  }
  Fields executed(fields.Child("executed"), path + ".executed", status);
  executed.Read("int8_macs", variant.executed.int8_macs);
  executed.Read("fp16_macs", variant.executed.fp16_macs);
  executed.Read("note", variant.executed.note);
  if (status.ok()) {
    for (const auto& [operation, implementation] : executed.Child("kernels").items()) {
      if (implementation.is_string()) {
        variant.executed.kernels.emplace_back(operation, implementation.get<std::string>());
      }
    }
  }
  if (status.ok()) ReadLayers(fields.Child("executed"), path + ".executed.layers", variant, status);
  Fields versus(fields.Child("versus_fp32"), path + ".versus_fp32", status);
  versus.Read("speedup", variant.versus_fp32.speedup);
  versus.Read("size_ratio", variant.versus_fp32.size_ratio);
  versus.Read("top1_delta", variant.versus_fp32.top1_delta);
  return variant;
}

}  // namespace

std::string ToJson(const Report& report, int indent) {
  Json json;
  json["model"] = report.model;
  json["version"] = report.version;
  json["cpu"] = {{"isa", report.cpu_isa}, {"threads", report.cpu_threads}};
  json["variants"] = Json::array();
  for (const Variant& variant : report.variants) json["variants"].push_back(VariantToJson(variant));
  json["warnings"] = report.warnings;
  // Names come from files: what is not UTF-8 is replaced, never an exception.
  return json.dump(indent, ' ', false, Json::error_handler_t::replace);
}

absl::StatusOr<Report> FromJson(const std::string& text) {
  const Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (json.is_discarded()) return absl::InvalidArgumentError("report: not JSON");
  absl::Status status;
  Report report;
  Fields fields(json, "report", status);
  if (!status.ok()) return status;
  fields.Read("model", report.model);
  fields.Read("version", report.version);
  if (json.contains("warnings")) fields.Read("warnings", report.warnings);
  Fields cpu(fields.Child("cpu"), "cpu", status);
  cpu.Read("isa", report.cpu_isa);
  cpu.Read("threads", report.cpu_threads);
  const Json& variants = fields.Child("variants");
  if (status.ok() && !variants.is_array()) {
    return absl::InvalidArgumentError("report: \"variants\" is no array");
  }
  for (size_t i = 0; status.ok() && i < variants.size(); ++i) {
    report.variants.push_back(
        VariantFromJson(variants[i], absl::StrCat("variants[", i, "]"), status));
  }
  if (!status.ok()) return status;
  return report;
}

}  // namespace fourfold::report
