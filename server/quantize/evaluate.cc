#include "server/quantize/evaluate.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "server/base/status_macros.h"
#include "server/quantize/statistics.h"
#include "server/runtime/executor.h"

namespace fourfold::quantize {
namespace {

constexpr double kIdenticalDecibels = 200.0;

// Sums of one model over the samples of one worker.
struct Tally {
  int64_t top1 = 0;
  int64_t top5 = 0;
  int64_t agree = 0;
  double signal = 0;  // sum x^2 of the reference
  double noise = 0;   // sum (x - y)^2
  double power = 0;   // sum y^2
  double dot = 0;     // sum x y

  void Add(const Tally& other) {
    top1 += other.top1;
    top5 += other.top5;
    agree += other.agree;
    signal += other.signal;
    noise += other.noise;
    power += other.power;
    dot += other.dot;
  }
};

struct Worker {
  runtime::Arena arena;
  kernels::Sequential sequential;
  std::vector<Tally> tallies;  // by model
};

std::vector<runtime::TensorRef> RefsTo(const runtime::Model& model, const SampleBinding& binding,
                                       const std::vector<std::vector<std::byte>>& inputs) {
  std::vector<runtime::TensorRef> refs;
  for (size_t i = 0; i < inputs.size(); ++i)
    refs.push_back({model.inputs()[i].type, binding.input_shapes[i], inputs[i].data()});
  return refs;
}

int64_t LargestIndex(std::span<const float> values) {
  return std::max_element(values.begin(), values.end()) - values.begin();
}

// How many elements are larger than the labelled one: its rank.
int64_t RankOf(std::span<const float> values, int64_t label) {
  if (label < 0 || label >= static_cast<int64_t>(values.size())) return INT64_MAX;
  int64_t rank = 0;
  const float own = values[static_cast<size_t>(label)];
  for (size_t i = 0; i < values.size(); ++i) {
    const bool before = values[i] > own || (values[i] == own && static_cast<int64_t>(i) < label);
    rank += before ? 1 : 0;
  }
  return rank;
}

void Compare(std::span<const float> reference, std::span<const float> answer, Tally& tally) {
  for (size_t i = 0; i < reference.size(); ++i) {
    const double x = reference[i];
    const double y = answer[i];
    tally.signal += x * x;
    tally.power += y * y;
    tally.dot += x * y;
    tally.noise += (x - y) * (x - y);
  }
}

Evaluation Summarize(const Tally& tally, int64_t samples, bool labelled) {
  Evaluation evaluation;
  const auto count = static_cast<double>(samples);
  if (labelled) {
    evaluation.labelled = report::Labelled{samples, static_cast<double>(tally.top1) / count,
                                           static_cast<double>(tally.top5) / count};
  }
  report::Fidelity& fidelity = evaluation.fidelity;
  fidelity.samples = samples;
  fidelity.top1_agreement = static_cast<double>(tally.agree) / count;
  fidelity.agreement_low95 = LowerBoundOfProportion(tally.agree, samples, 0.95);
  fidelity.sqnr_db =
      tally.noise == 0 ? kIdenticalDecibels
                       : std::clamp(10.0 * std::log10(std::max(tally.signal, 1e-300) / tally.noise),
                                    -kIdenticalDecibels, kIdenticalDecibels);
  const double norms = std::sqrt(tally.signal) * std::sqrt(tally.power);
  fidelity.cosine =
      norms == 0 ? (tally.noise == 0 ? 1.0 : 0.0) : std::clamp(tally.dot / norms, -1.0, 1.0);
  return evaluation;
}

}  // namespace

absl::Status CheckLabels(const runtime::Model& model, const SampleSet& samples) {
  if (samples.labels().empty()) return absl::OkStatus();
  ASSIGN_OR_RETURN(const SampleBinding binding, BindSamples(model, samples, "evaluation samples"));
  int64_t classes = 0;
  RETURN_IF_ERROR(VisitSamples(
      samples, binding, 1, 1,
      [&](int, int64_t, const std::vector<std::vector<std::byte>>& inputs) -> absl::Status {
        runtime::Arena arena;
        kernels::Sequential sequential;
        ASSIGN_OR_RETURN(const std::vector<graph::TensorPtr> outputs,
                         model.Execute(RefsTo(model, binding, inputs), arena, sequential));
        classes = outputs[0]->count();
        return absl::OkStatus();
      }));
  for (size_t i = 0; i < samples.labels().size(); ++i) {
    const int64_t label = samples.labels()[i];
    if (label >= 0 && label < classes) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("evaluation samples: label ", label, " of sample ", i,
                     " is no class of the model, whose first output has ", classes, " (0 to ",
                     classes - 1, ")"));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<Evaluation>> Evaluate(
    const std::vector<std::shared_ptr<const runtime::Model>>& models, const SampleSet& samples,
    const SampleBinding& binding, int64_t count, int workers, const Progress& progress) {
  const int64_t end = count == 0 ? samples.size() : std::min(count, samples.size());
  std::vector<Worker> states(static_cast<size_t>(workers));
  for (Worker& state : states) state.tallies.resize(models.size());
  const bool labelled = !samples.labels().empty();
  RETURN_IF_ERROR(CheckLabels(*models.front(), samples));
  std::atomic<int64_t> done{0};
  RETURN_IF_ERROR(VisitSamples(
      samples, binding, end, workers,
      [&](int worker, int64_t index,
          const std::vector<std::vector<std::byte>>& inputs) -> absl::Status {
        Worker& state = states[static_cast<size_t>(worker)];
        const std::vector<runtime::TensorRef> refs = RefsTo(*models.front(), binding, inputs);
        std::vector<graph::TensorPtr> references;
        for (size_t m = 0; m < models.size(); ++m) {
          ASSIGN_OR_RETURN(const std::vector<graph::TensorPtr> outputs,
                           models[m]->Execute(refs, state.arena, state.sequential));
          if (m == 0) references = outputs;
          Tally& tally = state.tallies[m];
          for (size_t o = 0; o < outputs.size(); ++o) {
            if (outputs[o]->type() != graph::DataType::kFloat32) continue;
            const std::span<const float> reference = references[o]->as<float>();
            const std::span<const float> answer = outputs[o]->as<float>();
            if (answer.size() != reference.size()) continue;  // found another number of things
            Compare(reference, answer, tally);
            if (o != 0) continue;
            tally.agree += LargestIndex(reference) == LargestIndex(answer) ? 1 : 0;
            if (!labelled) continue;
            const int64_t rank = RankOf(answer, samples.labels()[static_cast<size_t>(index)]);
            tally.top1 += rank < 1 ? 1 : 0;
            tally.top5 += rank < 5 ? 1 : 0;
          }
        }
        const int64_t now = ++done;
        if (worker == 0 && progress) progress(static_cast<int>(now * 100 / end));
        return absl::OkStatus();
      }));

  std::vector<Evaluation> evaluations;
  for (size_t m = 0; m < models.size(); ++m) {
    Tally total;
    for (const Worker& state : states) total.Add(state.tallies[m]);
    evaluations.push_back(Summarize(total, end, labelled));
  }
  return evaluations;
}

}  // namespace fourfold::quantize
