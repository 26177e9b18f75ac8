#pragma once

#include <string>

#include "proto/inference/grpc_predict_v2.pb.h"
#include "server/registry/model_registry.h"
#include "server/telemetry/statistics.h"

namespace fourfold::rpc {

// Answers of Triton's extensions of the protocol: model configuration, statistics, repository
// index.

// How the server runs every variant, as far as a configuration tells.
struct ExecutionFacts {
  int workers = 1;
  int64_t batch_max = 1;
  absl::Duration batch_delay_max = absl::ZeroDuration();
  int queue_max = 1;
};

// The configuration of a variant, under the name by which the request called it. A model that can
// be batched has max_batch_size, and its dims leave the batch out, as Triton's clients expect; of
// others max_batch_size is 0.
inference::ModelConfig EncodeConfig(const std::string& name, const registry::Variant& variant,
                                    const ExecutionFacts& facts);

// `resident_bytes` is the memory of what is counted.
inference::ModelStatistics EncodeStatistics(const std::string& name, int64_t version,
                                            const telemetry::VariantStatistics& statistics,
                                            int64_t resident_bytes);

// Every address that can be inferred: each version as NAME and as NAME@VARIANT. What is in a
// snapshot is READY.
inference::RepositoryIndexResponse EncodeIndex(const registry::Snapshot& snapshot);

}  // namespace fourfold::rpc
