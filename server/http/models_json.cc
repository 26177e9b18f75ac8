#include "server/http/models_json.h"

#include <nlohmann/json.hpp>

#include "server/report/report.h"
#include "server/report/verdict.h"

namespace fourfold::http {
namespace {

using Json = nlohmann::ordered_json;

// Names come from files: what is not UTF-8 is replaced, never an exception.
std::string Text(const Json& json, int indent) {
  return json.dump(indent, ' ', false, Json::error_handler_t::replace) + "\n";
}

Json VariantToJson(const report::Variant& variant) {
  Json json = {{"variant", variant.variant},
               {"default", variant.is_default},
               {"file_bytes", variant.size.file_bytes},
               {"p50_ms", variant.latency.p50_ms},
               {"speedup", variant.versus_fp32.speedup},
               {"size_ratio", variant.versus_fp32.size_ratio}};
  if (variant.labelled) json["top1"] = variant.labelled->top1;
  if (variant.fidelity) json["top1_agreement"] = variant.fidelity->top1_agreement;
  return json;
}

}  // namespace

std::string ModelsToJson(const registry::Snapshot& models) {
  Json list = Json::array();
  for (const auto& [name, versions] : models) {
    const registry::ModelVersion& newest = *versions.rbegin()->second;
    Json model = {{"model", name},
                  {"version", newest.version},
                  {"versions", Json::array()},
                  {"default_variant", newest.Default()->name},
                  {"created_unix_ms", newest.created_unix_ms},
                  {"variants", Json::array()}};
    for (const auto& [number, version] : versions) model["versions"].push_back(number);
    for (const report::Variant& variant : newest.report.variants) {
      model["variants"].push_back(VariantToJson(variant));
    }
    list.push_back(std::move(model));
  }
  Json json;
  json["models"] = std::move(list);
  return Text(json, -1);
}

std::string ComparisonToJson(const registry::ModelVersion& version,
                             const std::vector<int64_t>& versions) {
  Json json = Json::parse(report::ToJson(version.report));
  json["versions"] = versions;
  json["created_unix_ms"] = version.created_unix_ms;
  const report::Verdict verdict = report::ToVerdict(version.report);
  Json texts = Json::array();
  for (const auto& [variant, text] : verdict.variants) {
    texts.push_back({{"variant", variant}, {"text", text}});
  }
  json["verdict"] = {{"summary", verdict.summary}, {"variants", std::move(texts)}};
  return Text(json, 2);
}

}  // namespace fourfold::http
