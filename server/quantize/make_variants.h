#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "kernels/cpu_features.h"
#include "server/onnx/export.h"
#include "server/onnx/import.h"
#include "server/quantize/samples.h"
#include "server/report/report.h"

namespace fourfold::quantize {

// The variants in the order in which they are made and reported.
inline constexpr absl::string_view kVariants[] = {"fp32", "fp16", "hybrid", "int8"};

struct VariantsOptions {
  std::string model_name = "model";
  std::vector<std::string> variants = {"fp32", "fp16", "hybrid", "int8"};  // fp32 is always made
  kernels::CpuFeatures features = kernels::DetectCpuFeatures();
  int workers = 1;               // threads that run samples
  int threads = 1;               // of one run when latency is measured
  double measure_seconds = 1.0;  // of each variant
  bool recalibrate = false;      // a model that comes quantized is calibrated anew
  double loss_max = 0.01;  // of top-1, or of agreement where there are no labels, for the default
  onnx::ImportLimits limits;
  // The folder that WriteFile writes to. Variants whose constants have more than
  // `inline_bytes_max` bytes keep them there in a file of their own ("fp32.onnx.data"). "": no
  // variant may be that large.
  std::string data_folder = {};
  size_t inline_bytes_max = onnx::ExportOptions().constant_bytes_max;
};

// Stage ("import", "calibrate", "quantize", "evaluate", "measure"), percent of it, what is going
// on.
using StageProgress =
    std::function<void(absl::string_view stage, int percent, absl::string_view message)>;

// Called once per variant with the file name ("int8.onnx") and its bytes.
using WriteFile = std::function<absl::Status(const std::string& name, absl::string_view bytes)>;

// Makes the variants of one ONNX model, writes them, then loads each file as the server will
// and measures its accuracy and latency here. `external` opens what the model keeps in other files;
// null: nothing. `calibration` may be null unless int8 is wanted, `evaluation` too: then the
// calibration samples stand in for it, without labels.
//
// A model that comes quantized with fixed scales is the int8 variant as it is, without calibration;
// one that quantizes its activations as they come is the hybrid one. The others are made of the
// float32 function that it approximates (quantized_model.h).
//   INVALID_ARGUMENT    the model, the samples or the options are not usable; see the message
//   UNIMPLEMENTED       operators that are not supported, all of them named
absl::StatusOr<report::Report> MakeVariants(std::span<const std::byte> model_file,
                                            const SampleSet* calibration,
                                            const SampleSet* evaluation,
                                            const VariantsOptions& options, const WriteFile& write,
                                            const StageProgress& progress,
                                            onnx::ExternalData* external = nullptr);

}  // namespace fourfold::quantize
