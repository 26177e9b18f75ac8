#pragma once

#include <atomic>
#include <functional>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "proto/inference/grpc_predict_v2.pb.h"
#include "server/base/clock.h"
#include "server/registry/model_registry.h"
#include "server/schedule/scheduler.h"
#include "server/telemetry/metrics.h"

namespace fourfold::rpc {

// What inference works with; all outlive every call.
struct InferenceParts {
  registry::ModelRegistry& registry;
  schedule::Scheduler& scheduler;
  telemetry::Metrics& metrics;
  const std::atomic<bool>& ready;  // the server takes requests
  const base::Clock& clock = base::SystemClock();
};

// One inference request, alone in its call or one of a stream. The messages and what `cancelled`
// looks at live until `done` is called.
struct InferCall {
  const inference::ModelInferRequest* request = nullptr;
  inference::ModelInferResponse* response = nullptr;  // filled if `done` gets OK
  absl::Time deadline = absl::InfiniteFuture();       // the request may ask for an earlier one
  std::function<bool()> cancelled;                    // the caller has gone; as in schedule::Job
  std::function<void(const absl::Status&)> done;
};

// Decodes the request, has it run, fills the answer, and counts it. `done` is called once: by a
// worker, or before this returns if the request is refused.
void StartInfer(const InferenceParts& parts, InferCall call);

}  // namespace fourfold::rpc
