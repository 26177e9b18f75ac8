#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "server/quantize/calibrate.h"
#include "server/quantize/samples.h"
#include "server/report/report.h"
#include "server/runtime/model.h"

namespace fourfold::quantize {

// How a model answers: against labels where the samples have them, and against the reference.
struct Evaluation {
  std::optional<report::Labelled> labelled;
  report::Fidelity fidelity;
};

// INVALID_ARGUMENT for a label that is no index of the model's first output.
absl::Status CheckLabels(const runtime::Model& model, const SampleSet& samples);

// Runs all models, the first of which is the reference, on the first `count` samples (all of them
// if 0) and compares answers as they come. The class of an answer is the index of the largest
// element of the first output. Models have the same inputs and outputs. INVALID_ARGUMENT for a
// label that is no such index.
absl::StatusOr<std::vector<Evaluation>> Evaluate(
    const std::vector<std::shared_ptr<const runtime::Model>>& models, const SampleSet& samples,
    const SampleBinding& binding, int64_t count, int workers, const Progress& progress);

}  // namespace fourfold::quantize
