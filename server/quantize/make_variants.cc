#include "server/quantize/make_variants.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "server/base/sha256.h"
#include "server/base/status_macros.h"
#include "server/onnx/export.h"
#include "server/passes/passes.h"
#include "server/quantize/batch.h"
#include "server/quantize/choose_ranges.h"
#include "server/quantize/correct_bias.h"
#include "server/quantize/evaluate.h"
#include "server/quantize/import_model.h"
#include "server/quantize/measure.h"
#include "server/quantize/precision.h"
#include "server/quantize/quantized_model.h"
#include "server/quantize/variant_data.h"
#include "server/quantize/weights.h"

namespace fourfold::quantize {
namespace {

constexpr int64_t kRecommendedSamples = 100;

// One variant on its way: its files as written, and the model as the server will load it.
struct Made {
  std::string name;
  int64_t file_bytes = 0;
  std::string sha256;  // of the ONNX file
  std::shared_ptr<const runtime::Model> model;
  std::string note;
};

bool Contains(const std::vector<std::string>& names, absl::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

absl::Status CheckOptions(const VariantsOptions& options) {
  for (const std::string& variant : options.variants) {
    if (std::find(std::begin(kVariants), std::end(kVariants), variant) == std::end(kVariants)) {
      return absl::InvalidArgumentError(absl::StrCat(
          "unknown variant \"", variant, "\"; there are ", absl::StrJoin(kVariants, ", ")));
    }
  }
  return absl::OkStatus();
}

// A model that comes quantized, and what it is to be.
struct Origin {
  bool int8 = false;    // the int8 variant is the model as it came
  bool hybrid = false;  // the hybrid one is
};

int64_t WeightBytes(const graph::Graph& graph) {
  int64_t bytes = 0;
  for (const graph::Node& node : graph.nodes) {
    for (graph::ValueId id : node.inputs) {
      if (id == graph::kNoValue || graph.value(id).constant == nullptr) continue;
      bytes += static_cast<int64_t>(graph.value(id).constant->bytes());
    }
  }
  return bytes;
}

// Quantizing spreads a number that is none over everything.
absl::Status CheckWeights(const graph::Graph& graph) {
  for (const graph::Node& node : graph.nodes) {
    if (!HasQuantizableWeights(graph, node)) continue;
    for (size_t input : WeightInputs(node)) {
      const std::span<const float> weights = graph.ConstantInput(node, input)->as<float>();
      for (size_t i = 0; i < weights.size(); ++i) {
        if (std::isfinite(weights[i])) continue;
        return absl::InvalidArgumentError(absl::StrCat(
            "node \"", node.name, "\": element ", i, " of its weights \"",
            graph.value(node.inputs[input]).name, "\" is ", weights[i], ", wanted finite numbers"));
      }
    }
  }
  return absl::OkStatus();
}

// Fastest variant that loses no more than allowed; fp32 where nothing else was checked. One that
// answers otherwise than fp32 too often is not chosen, however its labelled accuracy came out.
void ChooseDefault(report::Report& report, double loss_max) {
  constexpr double kAgreementLeast = 0.8;
  report::Variant* best = &report.variants.front();
  for (report::Variant& variant : report.variants) {
    if (!variant.fidelity.has_value() || -variant.versus_fp32.top1_delta > loss_max) continue;
    if (variant.fidelity->top1_agreement < kAgreementLeast) continue;
    if (variant.latency.p50_ms < best->latency.p50_ms) best = &variant;
  }
  best->is_default = true;
}

// What was uploaded, where nothing was measured that could speak for another.
void MakeDefault(report::Report& report, absl::string_view name) {
  for (report::Variant& variant : report.variants) {
    if (variant.variant != name) continue;
    for (report::Variant& other : report.variants) other.is_default = false;
    variant.is_default = true;
  }
}

// Which arithmetic the float16 variant got on this machine, then the rest of its note.
std::string Float16Note(double fp16_macs, const std::string& rest) {
  std::string note = "float16 storage, float32 arithmetic";
  if (fp16_macs >= 1.0) {
    note = "float16 storage, float16 arithmetic";
  } else if (fp16_macs > 0.0) {
    note = absl::StrFormat("float16 storage, %.1f%% of the arithmetic in float16", 100 * fp16_macs);
  }
  return rest.empty() ? note : absl::StrCat(note, ", ", rest);
}

class Maker {
 public:
  Maker(const VariantsOptions& options, const WriteFile& write, const StageProgress& progress)
      : options_(options), write_(write), progress_(progress) {}

  absl::StatusOr<report::Report> Make(std::span<const std::byte> file, const SampleSet* calibration,
                                      const SampleSet* evaluation, onnx::ExternalData* external) {
    RETURN_IF_ERROR(CheckOptions(options_));
    Say("import", 0, "reading the model");
    ASSIGN_OR_RETURN(graph::Graph graph, ImportModel(file, options_.limits, external));
    Say("optimize", 0, "folding and fusing");
    RETURN_IF_ERROR(passes::Optimize(graph, {.fuse_residuals = false}));
    const graph::Graph given = graph;
    origin_.int8 = IsQuantized(graph) && !options_.recalibrate;
    origin_.hybrid = IsDynamicallyQuantized(graph) && !options_.recalibrate;
    if (IsQuantized(graph) || IsDynamicallyQuantized(graph)) {
      graph = ToFloat32(graph);
      RETURN_IF_ERROR(passes::Optimize(graph, {.fuse_residuals = false}));
    }
    if (Contains(options_.variants, "int8") && calibration == nullptr && !origin_.int8) {
      return absl::InvalidArgumentError(
          "variant int8 needs calibration samples (a few hundred): add them with --calibration, or "
          "leave int8 out with --variants=fp32,fp16,hybrid");
    }
    RETURN_IF_ERROR(CheckWeights(graph));
    SettleBatch(graph, options_.features);
    RETURN_IF_ERROR(CheckInputs(graph, calibration, evaluation));

    RETURN_IF_ERROR(
        Add("fp32", graph,
            origin_.int8 || origin_.hybrid ? "the uploaded model without its rounding" : ""));
    if (evaluation != nullptr) {
      RETURN_IF_ERROR(CheckLabels(*made_.front().model, *evaluation));
    }
    if (Contains(options_.variants, "fp16")) RETURN_IF_ERROR(AddFloat16(graph, calibration));
    if (Contains(options_.variants, "hybrid")) {
      RETURN_IF_ERROR(origin_.hybrid ? Add("hybrid", given, "the uploaded model's own weights")
                                     : AddHybrid(graph, calibration));
    }
    if (Contains(options_.variants, "int8")) {
      RETURN_IF_ERROR(origin_.int8
                          ? Add("int8", given,
                                "the uploaded model's own scales and zero points, not calibrated")
                          : AddInt8(graph, *calibration));
    }
    return Report(calibration, evaluation);
  }

 private:
  void Say(absl::string_view stage, int percent, absl::string_view message) {
    if (progress_) progress_(stage, percent, message);
  }

  Progress Stage(std::string stage, std::string message) {
    return [this, stage = std::move(stage), message = std::move(message)](int percent) {
      Say(stage, percent, message);
    };
  }

  // Samples that do not fit the model are refused before any work is spent on them.
  absl::Status CheckInputs(const graph::Graph& graph, const SampleSet* calibration,
                           const SampleSet* evaluation) {
    const runtime::Model model(graph);
    if (calibration != nullptr) {
      RETURN_IF_ERROR(BindSamples(model, *calibration, "calibration samples").status());
    }
    if (evaluation != nullptr) {
      RETURN_IF_ERROR(BindSamples(model, *evaluation, "evaluation samples").status());
    }
    return absl::OkStatus();
  }

  absl::Status AddFloat16(const graph::Graph& graph, const SampleSet* calibration) {
    std::vector<std::string> kept;
    graph::Graph half = ToFloat16(graph, &kept);
    for (const std::string& name : kept) {
      warnings_.push_back(absl::StrCat("fp16: \"", name, "\" exceeds 65504 and stays float32"));
    }
    std::string note;
    if (calibration != nullptr) {
      ASSIGN_OR_RETURN(half,
                       WithCorrectedBias(graph, std::move(half), SplitSamples(*calibration), note));
    }
    return Add("fp16", half, std::move(note));
  }

  absl::Status AddHybrid(const graph::Graph& graph, const SampleSet* calibration) {
    graph::Graph hybrid = ToHybrid(graph);
    std::string note;
    if (calibration != nullptr) {
      ASSIGN_OR_RETURN(
          hybrid, WithCorrectedBias(graph, std::move(hybrid), SplitSamples(*calibration), note));
    }
    return Add("hybrid", hybrid, std::move(note));
  }

  absl::Status AddInt8(const graph::Graph& graph, const SampleSet& calibration) {
    if (calibration.size() < kRecommendedSamples) {
      warnings_.push_back(absl::StrCat("int8: only ", calibration.size(),
                                       " calibration samples; a few hundred are recommended"));
    }
    const HoldOut samples = SplitSamples(calibration);
    ASSIGN_OR_RETURN(const SampleBinding binding,
                     BindSamples(*made_.front().model, calibration, "calibration samples"));
    ASSIGN_OR_RETURN(const ChosenRanges chosen,
                     ChooseRanges(graph, samples, binding, options_.features, options_.workers,
                                  Stage("calibrate", "observing activations")));
    std::string note = absl::StrCat("calibrated by ", chosen.calibrator);
    ASSIGN_OR_RETURN(const graph::Graph int8,
                     WithCorrectedBias(graph, ToInt8(graph, chosen.ranges), samples, note));
    return Add("int8", int8, std::move(note));
  }

  // The graph with corrected biases if it then answers more like the float graph on samples that
  // the correction was not fitted on, else as it was. Says so in `note`.
  absl::StatusOr<graph::Graph> WithCorrectedBias(const graph::Graph& reference,
                                                 graph::Graph quantized, const HoldOut& samples,
                                                 std::string& note) {
    ASSIGN_OR_RETURN(const SampleBinding binding,
                     BindSamples(*made_.front().model, samples.fit, "calibration samples"));
    ASSIGN_OR_RETURN(graph::Graph corrected,
                     CorrectBias(reference, quantized, samples.fit, binding, options_.features,
                                 options_.workers, Stage("quantize", "correcting biases")));
    runtime::ModelOptions model_options;
    model_options.features = options_.features;
    const std::vector<std::shared_ptr<const runtime::Model>> models = {
        made_.front().model, std::make_shared<const runtime::Model>(quantized, model_options),
        std::make_shared<const runtime::Model>(corrected, model_options)};
    ASSIGN_OR_RETURN(const std::vector<Evaluation> evaluations,
                     Evaluate(models, samples.check, binding, 0, options_.workers, nullptr));
    const double before = evaluations[1].fidelity.sqnr_db;
    const double after = evaluations[2].fidelity.sqnr_db;
    if (after <= before) return quantized;
    absl::StrAppend(&note, note.empty() ? "" : ", ",
                    absl::StrFormat("biases corrected (%.1f to %.1f dB held out)", before, after));
    return corrected;
  }

  // Writes the variant and loads it back, the way the server does.
  absl::Status Add(const std::string& name, const graph::Graph& graph, std::string note) {
    Say("quantize", 0, name);
    Made made;
    made.name = name;
    made.note = std::move(note);
    const std::string file_name = absl::StrCat(name, ".onnx");
    VariantData data(options_.data_folder, absl::StrCat(file_name, ".data"));
    ASSIGN_OR_RETURN(graph::Graph loaded, WriteAndReload(graph, file_name, data, made));
    RETURN_IF_ERROR(passes::Optimize(loaded));
    runtime::ModelOptions model_options;
    model_options.features = options_.features;
    model_options.threads = options_.threads;
    made.model = std::make_shared<const runtime::Model>(std::move(loaded), model_options);
    made_.push_back(std::move(made));
    return absl::OkStatus();
  }

  absl::StatusOr<graph::Graph> WriteAndReload(const graph::Graph& graph,
                                              const std::string& file_name, VariantData& data,
                                              Made& made) {
    ASSIGN_OR_RETURN(const std::string file,
                     onnx::Export(graph, data.Options(options_.inline_bytes_max)));
    RETURN_IF_ERROR(data.Finish());
    RETURN_IF_ERROR(write_(file_name, file));
    made.file_bytes = static_cast<int64_t>(file.size()) + data.bytes();
    made.sha256 = base::Sha256Hex(std::as_bytes(std::span(file)));
    onnx::ExternalFolder beside(options_.data_folder);
    return onnx::Import(std::as_bytes(std::span(file)), options_.limits, &beside);
  }

  absl::StatusOr<report::Report> Report(const SampleSet* calibration, const SampleSet* evaluation) {
    report::Report report;
    report.model = options_.model_name;
    report.cpu_isa = std::string(kernels::CpuLevelName(options_.features));
    report.cpu_threads = options_.threads;
    std::vector<std::shared_ptr<const runtime::Model>> models;
    for (const Made& made : made_) models.push_back(made.model);

    const SampleSet* checked = evaluation != nullptr ? evaluation : calibration;
    std::vector<Evaluation> evaluations;
    std::vector<std::vector<std::byte>> first_sample;
    MeasureOptions measure;
    measure.seconds = options_.measure_seconds;
    if (checked != nullptr) {
      ASSIGN_OR_RETURN(const SampleBinding binding,
                       BindSamples(*models.front(), *checked, "evaluation samples"));
      ASSIGN_OR_RETURN(evaluations, Evaluate(models, *checked, binding, 0, options_.workers,
                                             Stage("evaluate", "comparing answers")));
      ASSIGN_OR_RETURN(const auto arrays, checked->Read(0));
      for (size_t array : binding.array) first_sample.push_back(arrays[array]);
      measure.shapes = binding.input_shapes;
      if (evaluation == nullptr) {
        warnings_.push_back(
            "accuracy was checked on the calibration samples: no others were given");
      }
    }
    ASSIGN_OR_RETURN(const std::vector<Measurement> measurements,
                     Measure(models, first_sample, measure, Stage("measure", "timing")));

    for (size_t i = 0; i < made_.size(); ++i) {
      report::Variant variant;
      variant.variant = made_[i].name;
      variant.size.file_bytes = made_[i].file_bytes;
      variant.size.weight_bytes = WeightBytes(models[i]->graph());
      variant.size.resident_bytes = measurements[i].resident_bytes;
      variant.latency = measurements[i].latency;
      variant.executed = measurements[i].executed;
      variant.executed.note = made_[i].note;
      if (variant.variant == "fp16") {
        variant.executed.note = Float16Note(variant.executed.fp16_macs, made_[i].note);
      }
      variant.sha256 = made_[i].sha256;
      if (!evaluations.empty()) {
        variant.labelled = evaluations[i].labelled;
        variant.fidelity = evaluations[i].fidelity;
      }
      report.variants.push_back(std::move(variant));
    }
    for (report::Variant& variant : report.variants)
      CompareWithFp32(report.variants.front(), variant);
    ChooseDefault(report, options_.loss_max);
    if (checked == nullptr && origin_.int8) MakeDefault(report, "int8");
    report.warnings = std::move(warnings_);
    return report;
  }

  void CompareWithFp32(const report::Variant& fp32, report::Variant& variant) {
    report::VersusFp32& versus = variant.versus_fp32;
    versus.speedup = fp32.latency.p50_ms / std::max(variant.latency.p50_ms, 1e-9);
    versus.size_ratio =
        static_cast<double>(variant.size.file_bytes) / static_cast<double>(fp32.size.file_bytes);
    if (variant.labelled.has_value()) {
      versus.top1_delta = variant.labelled->top1 - fp32.labelled->top1;
    } else if (variant.fidelity.has_value()) {
      versus.top1_delta = variant.fidelity->top1_agreement - 1.0;
    }
    constexpr double kNoticeable = 0.95;  // below it a difference is not noise
    if ((variant.variant == "int8" || variant.variant == "hybrid") &&
        versus.speedup < kNoticeable) {
      warnings_.push_back(
          absl::StrFormat("%s is slower than fp32 on this machine: %.3g ms against %.3g ms",
                          variant.variant, variant.latency.p50_ms, fp32.latency.p50_ms));
    }
  }

  const VariantsOptions& options_;
  const WriteFile& write_;
  const StageProgress& progress_;
  Origin origin_;
  std::vector<Made> made_;  // fp32 first
  std::vector<std::string> warnings_;
};

}  // namespace

absl::StatusOr<report::Report> MakeVariants(std::span<const std::byte> model_file,
                                            const SampleSet* calibration,
                                            const SampleSet* evaluation,
                                            const VariantsOptions& options, const WriteFile& write,
                                            const StageProgress& progress,
                                            onnx::ExternalData* external) {
  return Maker(options, write, progress).Make(model_file, calibration, evaluation, external);
}

}  // namespace fourfold::quantize
