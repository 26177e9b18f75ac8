#include "server/http/routes.h"

#include <nlohmann/json.hpp>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "server/report/report.h"

namespace fourfold::http {
namespace {

constexpr char kJson[] = "application/json";

HttpResponse Error(int status, absl::string_view message) {
  const nlohmann::json body = {{"error", std::string(message)}};
  return {status, kJson,
          body.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n"};
}

HttpResponse Comparison(const registry::ModelRegistry& registry,
                        const std::vector<std::string>& path) {
  int64_t version = 0;
  if (path.size() == 6 && (!absl::SimpleAtoi(path[4], &version) || version < 1)) {
    return Error(400,
                 absl::StrCat("version: got ", path[4].substr(0, 64), ", wanted a number from 1"));
  }
  const auto found = registry.Find(path[2], version);
  if (!found.ok()) return Error(404, found.status().message());
  return {200, kJson, report::ToJson((*found)->report) + "\n"};
}

HttpResponse Front() {
  return {
      200, "text/plain; charset=utf-8",
      "Fourfold, a networked inference service.\n\n"
      "GET /v2/health/live                          200 while the server runs\n"
      "GET /v2/health/ready                         200 while it takes requests, else 503\n"
      "GET /v2/models/MODEL/comparison              what each variant costs and loses, JSON\n"
      "GET /v2/models/MODEL/versions/N/comparison   the same of one version\n\n"
      "Inference and upload: gRPC (inference.GRPCInferenceService, fourfold.v1.VariantService).\n"
      "Metrics: /metrics on the metrics port.\n"};
}

}  // namespace

HttpServer::Handler MetricsHandler(const telemetry::Metrics& metrics) {
  return [&metrics](const HttpRequest& request) -> HttpResponse {
    if (request.path == "/metrics")
      return {200, "text/plain; version=0.0.4; charset=utf-8", metrics.Text()};
    if (request.path == "/metrics/triton")
      return {200, "text/plain; version=0.0.4; charset=utf-8", metrics.TritonText()};
    if (request.path == "/")
      return {200, "text/plain; charset=utf-8", "GET /metrics\nGET /metrics/triton\n"};
    return Error(404, "not found; /metrics is here");
  };
}

HttpServer::Handler RestHandler(RestParts parts) {
  return [parts](const HttpRequest& request) -> HttpResponse {
    if (request.path == "/") return Front();
    if (request.path == "/v2/health/live") return {200, "text/plain; charset=utf-8", ""};
    if (request.path == "/v2/health/ready") {
      return {parts.ready.load() ? 200 : 503, "text/plain; charset=utf-8", ""};
    }
    const std::vector<std::string> path =
        absl::StrSplit(request.path.empty() ? request.path : request.path.substr(1), '/');
    const bool of_model = path.size() >= 4 && path[0] == "v2" && path[1] == "models";
    if (of_model && path.size() == 4 && path[3] == "comparison")
      return Comparison(parts.registry, path);
    if (of_model && path.size() == 6 && path[3] == "versions" && path[5] == "comparison") {
      return Comparison(parts.registry, path);
    }
    return Error(404, "not found; / names what is here");
  };
}

}  // namespace fourfold::http
