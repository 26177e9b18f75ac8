#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace fourfold::client {

// What each variant of one version costs and loses, as the server measured it. Accuracies are
// fractions from 0 to 1, sizes bytes, times milliseconds. The same facts as report.json.

struct SizeReport {
  int64_t file_bytes = 0;
  int64_t weight_bytes = 0;
  int64_t resident_bytes = 0;
};

struct LatencyReport {
  int batch = 1;
  int threads = 1;
  double p50_ms = 0;
  double p90_ms = 0;
  double p99_ms = 0;
  double throughput_per_s = 0;  // samples per second of one worker
};

struct LabelledReport {
  int64_t samples = 0;
  double top1 = 0;
  double top5 = 0;
};

// Against fp32's outputs on the same samples.
struct FidelityReport {
  int64_t samples = 0;
  double top1_agreement = 0;
  double agreement_low95 = 0;  // lower bound of the agreement
  double sqnr_db = 0;
  double cosine = 0;
};

// One step of what runs; the fields are those of fourfold.v1.LayerReport.
struct LayerReport {
  std::string node;
  std::string operation;
  std::string output;
  std::string precision;
  std::string kernel;
  int64_t macs = 0;
  std::string why_not_int8;
};

struct ExecutedReport {
  double int8_macs = 0;  // shares of multiply-accumulates
  double fp16_macs = 0;
  std::map<std::string, std::string> kernels;  // operation -> implementation
  std::string note;
  std::vector<LayerReport> layers;
};

struct VersusReport {
  double speedup = 0;     // above 1: faster than fp32
  double size_ratio = 0;  // below 1: smaller than fp32
  double top1_delta = 0;
};

struct VariantReport {
  std::string variant;
  bool is_default = false;
  SizeReport size;
  std::optional<LatencyReport> latency;    // absent: not measured
  std::optional<LabelledReport> labelled;  // absent: no labels were given
  std::optional<FidelityReport> fidelity;  // absent: no samples were given
  ExecutedReport executed;
  std::optional<VersusReport> versus_fp32;
  std::string sha256;  // of the ONNX file
};

struct Comparison {
  std::string model;
  int64_t version = 0;
  std::string cpu_isa;
  int cpu_threads = 0;
  std::vector<VariantReport> variants;
  std::vector<std::string> warnings;
};

}  // namespace fourfold::client
