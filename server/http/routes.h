#pragma once

#include <atomic>

#include "server/http/http_server.h"
#include "server/registry/model_registry.h"
#include "server/telemetry/metrics.h"

namespace fourfold::http {

// The handler of the metrics port: /metrics. `metrics` outlives it.
HttpServer::Handler MetricsHandler(const telemetry::Metrics& metrics);

// What the HTTP port shows; both outlive the handler.
struct RestParts {
  const registry::ModelRegistry& registry;
  const std::atomic<bool>& ready;  // the server takes requests
};

// The handler of the HTTP port. Errors are {"error": "..."}.
//   /                    for browsers the page, for other clients a text that names the rest
//   /models/MODEL[/versions/N]   the page, showing that model
//   /assets/NAME         the page's files
//   /v2/health/live, /v2/health/ready
//   /v2/models           ModelsToJson
//   /v2/models/MODEL[/versions/N]/comparison   ComparisonToJson
HttpServer::Handler RestHandler(RestParts parts);

}  // namespace fourfold::http
