#include "server/server.h"

#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/resource_quota.h>

#include <algorithm>
#include <atomic>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "server/base/cpu_budget.h"
#include "server/base/log.h"
#include "server/base/status_macros.h"
#include "server/http/http_server.h"
#include "server/http/routes.h"
#include "server/publish/publisher.h"
#include "server/registry/load_version.h"
#include "server/registry/model_registry.h"
#include "server/rpc/inference_service.h"
#include "server/rpc/variant_service.h"
#include "server/schedule/scheduler.h"
#include "server/store/model_store.h"
#include "server/telemetry/metrics.h"

namespace fourfold {
namespace {

// Keeps grpc.health.v1 in step with the registry: "model" and "model@variant" are services.
class HealthNames {
 public:
  void Attach(grpc::HealthCheckServiceInterface* health) {
    absl::MutexLock lock(&mutex_);
    health_ = health;
  }

  // Called after each change, by several threads: each sets what it finds, under one lock, so that
  // the last one sets the newest.
  void Follow(const registry::ModelRegistry& registry) {
    absl::MutexLock lock(&mutex_);
    if (!health_) return;
    std::set<std::string> now;
    for (const auto& [model, versions] : *registry.snapshot()) {
      now.insert(model);
      for (const auto& variant : versions.rbegin()->second->variants) {
        now.insert(absl::StrCat(model, "@", variant->name));
      }
    }
    for (const std::string& name : now) {
      if (!serving_.contains(name)) health_->SetServingStatus(name, true);
    }
    for (const std::string& name : serving_) {
      if (!now.contains(name)) health_->SetServingStatus(name, false);
    }
    serving_ = std::move(now);
  }

  // Everything NOT_SERVING for good.
  void Stop() {
    absl::MutexLock lock(&mutex_);
    if (health_) health_->Shutdown();
    health_ = nullptr;
  }

 private:
  absl::Mutex mutex_;
  grpc::HealthCheckServiceInterface* health_ ABSL_GUARDED_BY(mutex_) =
      nullptr;  // of the gRPC server
  std::set<std::string> serving_ ABSL_GUARDED_BY(mutex_);
};

absl::Status CheckPositive(absl::string_view flag, int64_t value) {
  if (value > 0) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("--", flag, ": got ", value, ", wanted a number from 1"));
}

absl::Status Check(const ServerOptions& options) {
  if (options.model_store.empty()) {
    return absl::InvalidArgumentError("--model_store: wanted a directory, got none");
  }
  for (const std::string* listen :
       {&options.grpc_listen, &options.http_listen, &options.metrics_listen}) {
    RETURN_IF_ERROR(http::ParseHostPort(*listen).status());
  }
  if (options.threads < 0) {
    return absl::InvalidArgumentError(absl::StrCat(
        "--threads: got ", options.threads, ", wanted a number from 1, or 0 for the CPU budget"));
  }
  constexpr int kThreadsMost = 1024;
  if (std::max(options.threads, options.threads_per_request) > kThreadsMost) {
    return absl::InvalidArgumentError(
        absl::StrCat("--threads and --threads_per_request: got ", options.threads, " and ",
                     options.threads_per_request, ", wanted at most ", kThreadsMost));
  }
  // An endless one would never let the server end.
  constexpr absl::Duration kTimeMost = absl::Hours(24);
  if (options.drain_delay < absl::ZeroDuration() || options.drain_delay > kTimeMost) {
    return absl::InvalidArgumentError("--drain_seconds: wanted 0 to 86400");
  }
  RETURN_IF_ERROR(CheckPositive("threads_per_request", options.threads_per_request));
  RETURN_IF_ERROR(CheckPositive("max_upload_bytes", options.upload_bytes_max));
  RETURN_IF_ERROR(CheckPositive("max_samples", options.samples_max));
  RETURN_IF_ERROR(CheckPositive("max_inline_bytes", options.inline_bytes_max));
  RETURN_IF_ERROR(CheckPositive("max_message_bytes", options.message_bytes_max));
  if (options.message_bytes_max > INT32_MAX) {
    return absl::InvalidArgumentError(
        "--max_message_bytes: wanted at most 2147483647, protobuf's limit");
  }
  RETURN_IF_ERROR(CheckPositive("queue_limit", options.queue_max));
  RETURN_IF_ERROR(CheckPositive("max_batch", options.batch_max));
  RETURN_IF_ERROR(CheckPositive("batch_memory_bytes", options.batch_memory_bytes));
  RETURN_IF_ERROR(CheckPositive("max_stream_requests", options.stream_requests_max));
  constexpr absl::Duration kBatchDelayMost = absl::Seconds(10);
  if (options.batch_delay_max < absl::ZeroDuration() || options.batch_delay_max > kBatchDelayMost) {
    return absl::InvalidArgumentError("--batch_delay_ms: wanted 0 to 10000");
  }
  RETURN_IF_ERROR(CheckPositive("max_jobs", options.jobs_max));
  if (options.job_memory_bytes < 0) {
    return absl::InvalidArgumentError("--job_memory_bytes: wanted 0 (no limit) or more");
  }
  constexpr absl::Duration kJobTimeMost = absl::Hours(24 * 365);
  if (options.job_time_max <= absl::ZeroDuration() || options.job_time_max > kJobTimeMost) {
    return absl::InvalidArgumentError("--job_seconds: wanted a number above 0, 31536000 at most");
  }
  if (options.grace_period < absl::ZeroDuration() || options.grace_period > kTimeMost) {
    return absl::InvalidArgumentError("--grace_period_seconds: wanted 0 to 86400");
  }
  return absl::OkStatus();
}

}  // namespace

// In the order of dependence: destruction runs backwards.
struct Server::Parts {
  ServerOptions options;
  Addresses addresses;
  std::atomic<bool> ready{false};
  std::atomic<bool> stopped{false};
  int workers = 1;
  telemetry::Metrics metrics{rpc::InferenceOptions().server_version};
  std::unique_ptr<store::ModelStore> store;
  HealthNames health;
  registry::ModelRegistry registry{[this] { health.Follow(registry); }};
  std::unique_ptr<publish::Publisher> publisher;
  std::unique_ptr<schedule::Scheduler> scheduler;
  std::unique_ptr<rpc::InferenceService> inference;
  std::unique_ptr<rpc::VariantService> variants;
  std::unique_ptr<grpc::Server> grpc;
  std::unique_ptr<http::HttpServer> http;
  std::unique_ptr<http::HttpServer> metrics_http;

  absl::Status StartWorkers();
  void LoadModels(const runtime::ModelOptions& model_options);
  absl::Status Listen();
};

absl::Status Server::Parts::StartWorkers() {
  const kernels::ParsedCpuFeatures features =
      kernels::ParseCpuFeatures(options.cpu_features, kernels::DetectCpuFeatures());
  if (!features.error.empty())
    return absl::InvalidArgumentError(absl::StrCat("--cpu_features: ", features.error));
  const int threads = options.threads > 0 ? options.threads : base::ReadCpuBudget().threads();
  const int threads_per_request = std::min(options.threads_per_request, threads);
  workers = threads / threads_per_request;

  store::StoreOptions store_options;
  store_options.root = options.model_store;
  store_options.upload.upload_bytes_max = options.upload_bytes_max;
  store_options.upload.samples_max = options.samples_max;
  ASSIGN_OR_RETURN(store, store::ModelStore::Open(store_options));

  runtime::ModelOptions model_options;
  model_options.features = features.features;
  model_options.threads = threads_per_request;
  model_options.batch_arena_bytes_max = static_cast<size_t>(options.batch_memory_bytes);
  LoadModels(model_options);

  schedule::SchedulerOptions schedule_options;
  schedule_options.workers = workers;
  schedule_options.threads_per_worker = threads_per_request;
  schedule_options.queue_max = options.queue_max;
  schedule_options.batch_max = options.batch_max;
  schedule_options.batch_delay_max = options.batch_delay_max;
  metrics.QueueLimit(options.queue_max);
  scheduler = std::make_unique<schedule::Scheduler>(schedule_options, metrics);

  publish::PublisherOptions publish_options;
  publish_options.quantizer.program = options.quantizer;
  publish_options.quantizer.cpu_features =
      options.cpu_features == "native" ? "" : options.cpu_features;
  publish_options.quantizer.threads = threads_per_request;
  publish_options.quantizer.memory_bytes_max = options.job_memory_bytes;
  publish_options.quantizer.time_max = options.job_time_max;
  publish_options.quantizer.inline_bytes_max = options.inline_bytes_max;
  publish_options.model = model_options;
  publish_options.jobs_max = options.jobs_max;
  publisher = std::make_unique<publish::Publisher>(
      publish::PublisherParts{*store, registry, metrics}, publish_options);
  base::LogInfo("server.workers", {{"workers", schedule_options.workers},
                                   {"threads_per_request", threads_per_request},
                                   {"cpu", std::string(kernels::CpuLevelName(features.features))}});
  return absl::OkStatus();
}

void Server::Parts::LoadModels(const runtime::ModelOptions& model_options) {
  const auto versions = store->List();
  if (!versions.ok()) {
    base::LogError("store.unreadable", {{"error", versions.status()}});
    return;
  }
  for (const store::StoredVersion& stored : *versions) {
    auto loaded =
        registry::LoadVersion(*store, stored.model, stored.version, model_options, &metrics);
    if (loaded.ok()) {
      registry.Replace(*std::move(loaded));
      base::LogInfo("model.loaded", {{"model", stored.model}, {"version", stored.version}});
    } else {
      base::LogError(
          "model.unloadable",
          {{"model", stored.model}, {"version", stored.version}, {"error", loaded.status()}});
    }
  }
}

absl::Status Server::Parts::Listen() {
  inference = std::make_unique<rpc::InferenceService>(
      rpc::InferenceParts{registry, *scheduler, metrics, ready},
      rpc::InferenceOptions{.execution = {.workers = workers,
                                          .batch_max = options.batch_max,
                                          .batch_delay_max = options.batch_delay_max,
                                          .queue_max = options.queue_max},
                            .stream_requests_max = options.stream_requests_max});
  variants = std::make_unique<rpc::VariantService>(rpc::VariantParts{*store, registry, *publisher},
                                                   rpc::VariantOptions{});

  grpc::EnableDefaultHealthCheckService(true);
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort(options.grpc_listen, grpc::InsecureServerCredentials(), &port);
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);  // a taken port is an error
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, options.connection_streams_max);
  builder.SetMaxReceiveMessageSize(static_cast<int>(options.message_bytes_max));
  builder.SetMaxSendMessageSize(static_cast<int>(options.message_bytes_max));
  grpc::ResourceQuota quota("fourfold");
  quota.Resize(static_cast<size_t>(options.grpc_memory_bytes));
  builder.SetResourceQuota(quota);
  builder.RegisterService(inference.get());
  builder.RegisterService(variants.get());
  grpc = builder.BuildAndStart();
  if (!grpc || port == 0) {
    return absl::UnavailableError(
        absl::StrCat("cannot listen on ", options.grpc_listen,
                     " for gRPC: the port is taken or the address is not ours"));
  }
  ASSIGN_OR_RETURN(const http::HostPort grpc_address, http::ParseHostPort(options.grpc_listen));
  addresses.grpc = absl::StrCat(grpc_address.host, ":", port);

  http::HttpOptions http_options;
  http_options.listen = options.http_listen;
  ASSIGN_OR_RETURN(http,
                   http::HttpServer::Start(http_options, http::RestHandler({registry, ready})));
  addresses.http = http->address();
  http_options.listen = options.metrics_listen;
  ASSIGN_OR_RETURN(metrics_http,
                   http::HttpServer::Start(http_options, http::MetricsHandler(metrics)));
  addresses.metrics = metrics_http->address();

  health.Attach(grpc->GetHealthCheckService());
  health.Follow(registry);
  ready = true;
  return absl::OkStatus();
}

Server::Server(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

absl::StatusOr<std::unique_ptr<Server>> Server::Start(const ServerOptions& options) {
  RETURN_IF_ERROR(Check(options));
  auto parts = std::make_unique<Parts>();
  parts->options = options;
  std::unique_ptr<Server> server(new Server(std::move(parts)));
  RETURN_IF_ERROR(server->parts_->StartWorkers());
  RETURN_IF_ERROR(server->parts_->Listen());
  return server;
}

Server::~Server() {
  parts_->options.grace_period = absl::ZeroDuration();
  Shutdown();
}

const Server::Addresses& Server::addresses() const { return parts_->addresses; }

void Server::Shutdown() {
  if (parts_->stopped.exchange(true)) return;
  const absl::Time until = absl::Now() + parts_->options.grace_period;
  parts_->ready = false;
  parts_->health.Stop();
  if (parts_->publisher) parts_->publisher->Stop();
  if (parts_->scheduler) parts_->scheduler->Drain(until);
  if (parts_->inference) parts_->inference->EndStreams();
  if (parts_->grpc) {
    absl::SleepFor(std::min(parts_->options.drain_delay, until - absl::Now()));
    // All requests have their answers. What is left are answers on their way, and streams of those
    // who do not read: a moment for the first.
    parts_->grpc->Shutdown(absl::ToChronoTime(std::min(until, absl::Now() + absl::Seconds(1))));
    parts_->grpc->Wait();
  }
  parts_->http.reset();
  parts_->metrics_http.reset();
}

}  // namespace fourfold
