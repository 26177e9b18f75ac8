#include "client/convert.h"

#include <string>
#include <vector>

namespace fourfold::client {
namespace {

JobState FromProto(v1::JobState state) {
  switch (state) {
    case v1::JOB_STATE_QUEUED: return JobState::kQueued;
    case v1::JOB_STATE_RUNNING: return JobState::kRunning;
    case v1::JOB_STATE_DONE: return JobState::kDone;
    case v1::JOB_STATE_FAILED: return JobState::kFailed;
    case v1::JOB_STATE_CANCELLED: return JobState::kCancelled;
    default: return JobState::kUnknown;
  }
}

TensorDescription FromProto(const v1::TensorDescription& proto) {
  return {proto.name(), proto.datatype(), {proto.shape().begin(), proto.shape().end()}};
}

VariantReport FromProto(const v1::VariantReport& proto) {
  VariantReport variant;
  variant.variant = proto.variant();
  variant.is_default = proto.is_default();
  variant.sha256 = proto.sha256();
  variant.size = {proto.size().file_bytes(), proto.size().weight_bytes(),
                  proto.size().resident_bytes()};
  if (proto.has_latency()) {
    const v1::LatencyReport& latency = proto.latency();
    variant.latency = {latency.batch(),  latency.threads(), latency.p50_ms(),
                       latency.p90_ms(), latency.p99_ms(),  latency.throughput_per_s()};
  }
  if (proto.accuracy().has_labelled()) {
    const v1::LabelledReport& labelled = proto.accuracy().labelled();
    variant.labelled = {labelled.samples(), labelled.top1(), labelled.top5()};
  }
  if (proto.accuracy().has_fidelity()) {
    const v1::FidelityReport& fidelity = proto.accuracy().fidelity();
    variant.fidelity = {fidelity.samples(), fidelity.top1_agreement(), fidelity.agreement_low95(),
                        fidelity.sqnr_db(), fidelity.cosine()};
  }
  variant.executed.int8_macs = proto.executed().int8_macs();
  variant.executed.fp16_macs = proto.executed().fp16_macs();
  variant.executed.note = proto.executed().note();
  for (const v1::LayerReport& layer : proto.executed().layers()) {
    variant.executed.layers.push_back({layer.node(), layer.operation(), layer.output(),
                                       layer.precision(), layer.kernel(), layer.macs(),
                                       layer.why_not_int8()});
  }
  for (const auto& [operation, implementation] : proto.executed().kernels()) {
    variant.executed.kernels[operation] = implementation;
  }
  if (proto.has_versus_fp32()) {
    const v1::VersusReport& versus = proto.versus_fp32();
    variant.versus_fp32 = {versus.speedup(), versus.size_ratio(), versus.top1_delta()};
  }
  return variant;
}

}  // namespace

Comparison FromProto(const v1::Comparison& proto) {
  Comparison comparison;
  comparison.model = proto.model();
  comparison.version = proto.version();
  comparison.cpu_isa = proto.cpu().isa();
  comparison.cpu_threads = proto.cpu().threads();
  for (const v1::VariantReport& variant : proto.variants()) {
    comparison.variants.push_back(FromProto(variant));
  }
  comparison.warnings = {proto.warnings().begin(), proto.warnings().end()};
  return comparison;
}

Job FromProto(const v1::Job& proto) {
  Job job;
  job.job_id = proto.job_id();
  job.model = proto.model();
  job.version = proto.version();
  job.state = FromProto(proto.state());
  job.stage = proto.stage();
  job.percent = proto.percent();
  job.message = proto.message();
  job.created_unix_ms = proto.created_unix_ms();
  job.started_unix_ms = proto.started_unix_ms();
  job.finished_unix_ms = proto.finished_unix_ms();
  return job;
}

JobEvent FromProto(const v1::JobEvent& proto) {
  return {proto.stage(), proto.percent(), proto.message(), FromProto(proto.state()),
          proto.time_unix_ms()};
}

ModelSummary FromProto(const v1::ModelSummary& proto) {
  ModelSummary summary;
  summary.model = proto.model();
  summary.version = proto.version();
  summary.versions = {proto.versions().begin(), proto.versions().end()};
  summary.default_variant = proto.default_variant();
  summary.variants = {proto.variants().begin(), proto.variants().end()};
  summary.created_unix_ms = proto.created_unix_ms();
  return summary;
}

ModelDescription FromProto(const v1::DescribeModelResponse& proto) {
  ModelDescription description;
  description.model = proto.model();
  description.version = proto.version();
  description.versions = {proto.versions().begin(), proto.versions().end()};
  description.default_variant = proto.default_variant();
  for (const auto& input : proto.inputs()) description.inputs.push_back(FromProto(input));
  for (const auto& output : proto.outputs()) description.outputs.push_back(FromProto(output));
  for (const v1::VariantFile& file : proto.variants()) {
    description.variants.push_back({file.variant(), file.file(), file.file_bytes(), file.sha256(),
                                    file.data_file(), file.data_bytes(), file.data_sha256()});
  }
  description.created_unix_ms = proto.created_unix_ms();
  description.batching = proto.batching();
  return description;
}

std::vector<TensorDescription> FromProto(
    const google::protobuf::RepeatedPtrField<inference::ModelMetadataResponse::TensorMetadata>&
        tensors) {
  std::vector<TensorDescription> result;
  for (const auto& tensor : tensors) {
    result.push_back(
        {tensor.name(), tensor.datatype(), {tensor.shape().begin(), tensor.shape().end()}});
  }
  return result;
}

}  // namespace fourfold::client
