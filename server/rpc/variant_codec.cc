#include "server/rpc/variant_codec.h"

#include "server/rpc/datatype.h"

namespace fourfold::rpc {
namespace {

fourfold::v1::JobState StateOf(publish::JobState state) {
  switch (state) {
    case publish::JobState::kQueued: return fourfold::v1::JOB_STATE_QUEUED;
    case publish::JobState::kRunning: return fourfold::v1::JOB_STATE_RUNNING;
    case publish::JobState::kDone: return fourfold::v1::JOB_STATE_DONE;
    case publish::JobState::kFailed: return fourfold::v1::JOB_STATE_FAILED;
    case publish::JobState::kCancelled: return fourfold::v1::JOB_STATE_CANCELLED;
  }
  return fourfold::v1::JOB_STATE_UNSPECIFIED;
}

// 0 for a moment that has not come.
int64_t Milliseconds(absl::Time time) {
  return time == absl::InfinitePast() ? 0 : absl::ToUnixMillis(time);
}

void Encode(const report::Variant& variant, fourfold::v1::VariantReport& message) {
  message.set_variant(variant.variant);
  message.set_is_default(variant.is_default);
  message.set_sha256(variant.sha256);
  auto& size = *message.mutable_size();
  size.set_file_bytes(variant.size.file_bytes);
  size.set_weight_bytes(variant.size.weight_bytes);
  size.set_resident_bytes(variant.size.resident_bytes);
  auto& latency = *message.mutable_latency();
  latency.set_batch(variant.latency.batch);
  latency.set_threads(variant.latency.threads);
  latency.set_p50_ms(variant.latency.p50_ms);
  latency.set_p90_ms(variant.latency.p90_ms);
  latency.set_p99_ms(variant.latency.p99_ms);
  latency.set_throughput_per_s(variant.latency.throughput_per_s);
  if (variant.labelled) {
    auto& labelled = *message.mutable_accuracy()->mutable_labelled();
    labelled.set_samples(variant.labelled->samples);
    labelled.set_top1(variant.labelled->top1);
    labelled.set_top5(variant.labelled->top5);
  }
  if (variant.fidelity) {
    auto& fidelity = *message.mutable_accuracy()->mutable_fidelity();
    fidelity.set_samples(variant.fidelity->samples);
    fidelity.set_top1_agreement(variant.fidelity->top1_agreement);
    fidelity.set_agreement_low95(variant.fidelity->agreement_low95);
    fidelity.set_sqnr_db(variant.fidelity->sqnr_db);
    fidelity.set_cosine(variant.fidelity->cosine);
  }
  auto& executed = *message.mutable_executed();
  executed.set_int8_macs(variant.executed.int8_macs);
  executed.set_fp16_macs(variant.executed.fp16_macs);
  executed.set_note(variant.executed.note);
  for (const report::Layer& layer : variant.executed.layers) {
    fourfold::v1::LayerReport& row = *executed.add_layers();
    row.set_node(layer.node);
    row.set_operation(layer.operation);
    row.set_output(layer.output);
    row.set_precision(layer.precision);
    row.set_kernel(layer.kernel);
    row.set_macs(layer.macs);
    row.set_why_not_int8(layer.why_not_int8);
  }
  for (const auto& [operation, kernel] : variant.executed.kernels) {
    (*executed.mutable_kernels())[operation] = kernel;
  }
  auto& versus = *message.mutable_versus_fp32();
  versus.set_speedup(variant.versus_fp32.speedup);
  versus.set_size_ratio(variant.versus_fp32.size_ratio);
  versus.set_top1_delta(variant.versus_fp32.top1_delta);
}

void Encode(const runtime::TensorInfo& info, fourfold::v1::TensorDescription& message) {
  message.set_name(info.name);
  message.set_datatype(std::string(DatatypeName(info.type)));
  message.mutable_shape()->Assign(info.shape.begin(), info.shape.end());
}

}  // namespace

void Encode(const publish::Job& job, fourfold::v1::Job& message) {
  message.set_job_id(job.id);
  message.set_model(job.model);
  message.set_version(job.version);
  message.set_state(StateOf(job.state));
  message.set_stage(job.stage);
  message.set_percent(job.percent);
  message.set_message(job.message);
  message.set_created_unix_ms(Milliseconds(job.created));
  message.set_started_unix_ms(Milliseconds(job.started));
  message.set_finished_unix_ms(Milliseconds(job.finished));
}

void Encode(const publish::Job& job, fourfold::v1::JobEvent& message) {
  message.set_stage(job.stage);
  message.set_percent(job.percent);
  message.set_message(job.message);
  message.set_state(StateOf(job.state));
  message.set_time_unix_ms(Milliseconds(job.changed));
}

void Encode(const report::Report& report, fourfold::v1::Comparison& message) {
  message.set_model(report.model);
  message.set_version(report.version);
  message.mutable_cpu()->set_isa(report.cpu_isa);
  message.mutable_cpu()->set_threads(report.cpu_threads);
  for (const report::Variant& variant : report.variants) Encode(variant, *message.add_variants());
  for (const std::string& warning : report.warnings) message.add_warnings(warning);
}

void Encode(const registry::ModelVersion& version, fourfold::v1::DescribeModelResponse& message) {
  message.set_model(version.model);
  message.set_version(version.version);
  message.set_default_variant(version.Default()->name);
  message.set_created_unix_ms(version.created_unix_ms);
  const runtime::Model& model = *version.Default()->model;
  message.set_batching(std::string(model.batching()));
  for (const auto& info : model.inputs()) Encode(info, *message.add_inputs());
  for (const auto& info : model.outputs()) Encode(info, *message.add_outputs());
  for (const auto& variant : version.variants) {
    fourfold::v1::VariantFile& file = *message.add_variants();
    file.set_variant(variant->name);
    file.set_file(variant->file.name);
    file.set_file_bytes(variant->file.bytes);
    file.set_sha256(variant->file.sha256);
    if (variant->data_file) {
      file.set_data_file(variant->data_file->name);
      file.set_data_bytes(variant->data_file->bytes);
      file.set_data_sha256(variant->data_file->sha256);
    }
  }
}

}  // namespace fourfold::rpc
