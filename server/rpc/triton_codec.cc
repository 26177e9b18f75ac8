#include "server/rpc/triton_codec.h"

#include <algorithm>
#include <limits>

#include "absl/strings/str_cat.h"
#include "server/rpc/datatype.h"

namespace fourfold::rpc {
namespace {

using graph::DataType;

inference::DataType ConfigType(DataType type) {
  switch (type) {
    case DataType::kBool: return inference::TYPE_BOOL;
    case DataType::kUint8: return inference::TYPE_UINT8;
    case DataType::kUint16: return inference::TYPE_UINT16;
    case DataType::kUint32: return inference::TYPE_UINT32;
    case DataType::kUint64: return inference::TYPE_UINT64;
    case DataType::kInt8: return inference::TYPE_INT8;
    case DataType::kInt16: return inference::TYPE_INT16;
    case DataType::kInt32: return inference::TYPE_INT32;
    case DataType::kInt64: return inference::TYPE_INT64;
    case DataType::kFloat16: return inference::TYPE_FP16;
    case DataType::kFloat32: return inference::TYPE_FP32;
    case DataType::kFloat64: return inference::TYPE_FP64;
    case DataType::kBFloat16: return inference::TYPE_BF16;
  }
  return inference::TYPE_INVALID;
}

template <typename Tensor>
void EncodeTensor(const runtime::TensorInfo& info, bool batched, Tensor& tensor) {
  tensor.set_name(info.name);
  tensor.set_data_type(ConfigType(info.type));
  const auto begin = info.shape.begin() + (batched ? 1 : 0);
  tensor.mutable_dims()->Assign(begin, info.shape.end());
}

void Encode(const telemetry::DurationSum& sum, inference::StatisticDuration& out) {
  out.set_count(static_cast<uint64_t>(sum.count));
  out.set_ns(static_cast<uint64_t>(absl::ToInt64Nanoseconds(sum.total)));
}

}  // namespace

inference::ModelConfig EncodeConfig(const std::string& name, const registry::Variant& variant,
                                    const ExecutionFacts& facts) {
  const bool batched = variant.model->batchable();
  inference::ModelConfig config;
  config.set_name(name);
  config.set_platform("onnx_fourfold");
  config.set_backend("fourfold");
  config.mutable_version_policy()->mutable_all();
  config.set_default_model_filename(absl::StrCat(variant.name, ".onnx"));
  for (const auto& info : variant.model->inputs()) EncodeTensor(info, batched, *config.add_input());
  for (const auto& info : variant.model->outputs())
    EncodeTensor(info, batched, *config.add_output());
  inference::ModelInstanceGroup& group = *config.add_instance_group();
  group.set_name(variant.name);
  group.set_count(facts.workers);
  group.set_kind(inference::ModelInstanceGroup::KIND_CPU);
  config.mutable_model_transaction_policy()->set_decoupled(false);
  (*config.mutable_parameters())["variant"].set_string_value(variant.name);
  (*config.mutable_parameters())["batching"].set_string_value(variant.model->batching());
  if (!batched) return config;
  constexpr int64_t kMost = std::numeric_limits<int32_t>::max();
  config.set_max_batch_size(static_cast<int32_t>(std::min(facts.batch_max, kMost)));
  if (!variant.stacked || facts.batch_max < 2) return config;
  inference::ModelDynamicBatching& batching = *config.mutable_dynamic_batching();
  batching.set_max_queue_delay_microseconds(
      static_cast<uint64_t>(absl::ToInt64Microseconds(facts.batch_delay_max)));
  inference::ModelQueuePolicy& policy = *batching.mutable_default_queue_policy();
  policy.set_timeout_action(inference::ModelQueuePolicy::REJECT);
  policy.set_allow_timeout_override(true);
  policy.set_max_queue_size(static_cast<uint32_t>(facts.queue_max));
  return config;
}

inference::ModelStatistics EncodeStatistics(const std::string& name, int64_t version,
                                            const telemetry::VariantStatistics& statistics,
                                            int64_t resident_bytes) {
  inference::ModelStatistics out;
  out.set_name(name);
  out.set_version(absl::StrCat(version));
  if (statistics.last != absl::InfinitePast()) {
    out.set_last_inference(static_cast<uint64_t>(absl::ToUnixMillis(statistics.last)));
  }
  out.set_inference_count(static_cast<uint64_t>(statistics.samples));
  out.set_execution_count(static_cast<uint64_t>(statistics.executions));
  inference::InferStatistics& times = *out.mutable_inference_stats();
  Encode(statistics.success, *times.mutable_success());
  Encode(statistics.failure, *times.mutable_fail());
  Encode(statistics.queue, *times.mutable_queue());
  Encode(statistics.input, *times.mutable_compute_input());
  Encode(statistics.compute, *times.mutable_compute_infer());
  Encode(statistics.output, *times.mutable_compute_output());
  times.mutable_cache_hit();  // there is no response cache: zeros
  times.mutable_cache_miss();
  for (const auto& [size, batch] : statistics.batches) {
    inference::InferBatchStatistics& entry = *out.add_batch_stats();
    entry.set_batch_size(static_cast<uint64_t>(size));
    Encode(batch.input, *entry.mutable_compute_input());
    Encode(batch.compute, *entry.mutable_compute_infer());
    Encode(batch.output, *entry.mutable_compute_output());
  }
  inference::MemoryUsage& memory = *out.add_memory_usage();
  memory.set_type("CPU");
  memory.set_byte_size(static_cast<uint64_t>(std::max<int64_t>(resident_bytes, 0)));
  return out;
}

inference::RepositoryIndexResponse EncodeIndex(const registry::Snapshot& snapshot) {
  inference::RepositoryIndexResponse response;
  const auto add = [&](const std::string& name, int64_t version) {
    auto& entry = *response.add_models();
    entry.set_name(name);
    entry.set_version(absl::StrCat(version));
    entry.set_state("READY");
  };
  for (const auto& [model, versions] : snapshot) {
    for (const auto& [number, version] : versions) {
      add(model, number);
      for (const auto& variant : version->variants) {
        add(absl::StrCat(model, "@", variant->name), number);
      }
    }
  }
  return response;
}

}  // namespace fourfold::rpc
