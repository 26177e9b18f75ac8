#include "server/http/routes.h"

#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "server/http/models_json.h"
#include "server/http/page_files.h"

namespace fourfold::http {
namespace {

constexpr char kJson[] = "application/json";

HttpResponse Error(int status, absl::string_view message) {
  const nlohmann::json body = {{"error", std::string(message)}};
  return {status, kJson,
          body.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n"};
}

// A model and version that an address names.
struct Address {
  std::string model;
  std::string version;  // as written; empty: the newest
};

// `parts` from `first` on as MODEL or MODEL/versions/N, and nothing behind.
std::optional<Address> ReadAddress(const std::vector<std::string>& parts, size_t first) {
  if (parts.size() == first + 1) return Address{parts[first], ""};
  if (parts.size() == first + 3 && parts[first + 1] == "versions" && !parts[first + 2].empty()) {
    return Address{parts[first], parts[first + 2]};
  }
  return std::nullopt;
}

// INVALID_ARGUMENT if the version is no number, NOT_FOUND.
absl::StatusOr<std::shared_ptr<const registry::ModelVersion>> Find(
    const registry::ModelRegistry& registry, const Address& address) {
  int64_t version = 0;
  if (!address.version.empty() && (!absl::SimpleAtoi(address.version, &version) || version < 1)) {
    return absl::InvalidArgumentError(
        absl::StrCat("version: got ", address.version.substr(0, 64), ", wanted a number from 1"));
  }
  return registry.Find(address.model, version);
}

HttpResponse Comparison(const registry::ModelRegistry& registry, const Address& address) {
  const auto found = Find(registry, address);
  if (!found.ok()) {
    return Error(absl::IsInvalidArgument(found.status()) ? 400 : 404, found.status().message());
  }
  std::vector<int64_t> versions;
  const std::shared_ptr<const registry::Snapshot> now = registry.snapshot();
  if (const auto model = now->find(address.model); model != now->end()) {
    for (const auto& [number, version] : model->second) versions.push_back(number);
  }
  return {200, kJson, ComparisonToJson(**found, versions)};
}

HttpResponse Overview() {
  HttpResponse response;
  response.body =
      "Fourfold, a networked inference service.\n\n"
      "GET /                                        this text; in a browser the models and their "
      "comparisons\n"
      "GET /v2/health/live                          200 while the server runs\n"
      "GET /v2/health/ready                         200 while it takes requests, else 503\n"
      "GET /v2/models                               the models, JSON\n"
      "GET /v2/models/MODEL/comparison              what each variant costs and loses, JSON\n"
      "GET /v2/models/MODEL/versions/N/comparison   the same of one version\n\n"
      "Inference and upload: gRPC (inference.GRPCInferenceService, fourfold.v1.VariantService).\n"
      "Metrics: /metrics on the metrics port.\n";
  response.headers = {{"Vary", "Accept"}};
  return response;
}

HttpResponse NotFound(const HttpRequest& request) {
  if (WantsPage(request) && !absl::StartsWith(request.path, "/v2")) return Page(request, 404);
  return Error(404, "not found; / names what is here");
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
    if (request.path == "/") return WantsPage(request) ? Page(request, 200) : Overview();
    if (request.path == "/v2/health/live") return {};
    if (request.path == "/v2/health/ready") return {parts.ready.load() ? 200 : 503};
    if (request.path == "/v2/models") {
      return {200, kJson, ModelsToJson(*parts.registry.snapshot())};
    }
    std::vector<std::string> path = absl::StrSplit(absl::StripPrefix(request.path, "/"), '/');
    if (path.size() == 2 && path[0] == "assets") return Asset(request, path[1]);
    if (path[0] == "models") {
      const auto address = ReadAddress(path, 1);
      if (address) return Page(request, Find(parts.registry, *address).ok() ? 200 : 404);
    }
    if (path.size() > 3 && path[0] == "v2" && path[1] == "models" && path.back() == "comparison") {
      path.pop_back();
      const auto address = ReadAddress(path, 2);
      if (address) return Comparison(parts.registry, *address);
    }
    return NotFound(request);
  };
}

}  // namespace fourfold::http
