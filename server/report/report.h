#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace fourfold::report {

// What each variant of a model costs and loses, as measured: the quantizer's report.json, the
// manifest of a version and `fourfold compare --format=json` share this one schema.
// Accuracies are fractions from 0 to 1, sizes bytes, times milliseconds.

struct Size {
  int64_t file_bytes = 0;
  int64_t weight_bytes = 0;    // parameters as stored in the file
  int64_t resident_bytes = 0;  // packed weights, constants and arena in memory at batch 1
};

struct Latency {
  int batch = 1;
  int threads = 1;
  double p50_ms = 0;
  double p90_ms = 0;
  double p99_ms = 0;
  double throughput_per_s = 0;  // samples per second of one instance
};

struct Labelled {
  int64_t samples = 0;
  double top1 = 0;
  double top5 = 0;
};

// Against the outputs of fp32 on the same samples. Held-out samples where there are some, else the
// calibration samples.
struct Fidelity {
  int64_t samples = 0;
  double top1_agreement = 0;
  double agreement_low95 = 0;  // one-sided Clopper-Pearson bound, 95%
  double sqnr_db = 0;          // 10 log10(sum x^2 / sum (x - y)^2); 200 at most (identical)
  double cosine = 0;
};

// One step of what runs.
struct Layer {
  std::string node;       // of the variant's graph; empty for a step that was added between nodes
  std::string operation;  // "Conv", "Reorder"
  std::string output;     // "[1, 64, 56, 56] uint8"
  std::string precision;  // "float32", "int8", "dynamic int8"; empty where nothing is computed
  std::string kernel;     // implementation
  int64_t macs = 0;       // multiply-accumulates
  std::string why_not_int8;  // of a product in another precision
};

struct Executed {
  double int8_macs = 0;  // share of multiply-accumulates done in int8
  double fp16_macs = 0;
  std::vector<std::pair<std::string, std::string>>
      kernels;                // "conv" -> "onednn/..." (by most work)
  std::string note;           // what a reader should know: "float16 storage, float32 arithmetic"
  std::vector<Layer> layers;  // in the order in which they run; none in reports of older versions
};

struct VersusFp32 {
  double speedup = 0;     // fp32 p50 / this p50
  double size_ratio = 0;  // this file / fp32 file
  double top1_delta =
      0;  // labelled top-1 - fp32's; minus (1 - agreement) where there are no labels
};

struct Variant {
  std::string variant;
  bool is_default = false;
  Size size;
  Latency latency;
  std::optional<Labelled> labelled;
  std::optional<Fidelity> fidelity;  // nothing where no samples were given
  Executed executed;
  VersusFp32 versus_fp32;
  std::string sha256;  // of the ONNX file
};

struct Report {
  std::string model;
  int64_t version = 0;
  std::string cpu_isa;
  int cpu_threads = 1;
  std::vector<std::string> warnings;
  std::vector<Variant> variants;
};

std::string ToJson(const Report& report, int indent = 2);

// INVALID_ARGUMENT names the missing or wrong field.
absl::StatusOr<Report> FromJson(const std::string& text);

}  // namespace fourfold::report
