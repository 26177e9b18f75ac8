#include "server/quantize/choose_ranges.h"

#include "server/base/status_macros.h"
#include "server/quantize/evaluate.h"
#include "server/quantize/precision.h"

namespace fourfold::quantize {
namespace {

struct Candidate {
  const char* name;
  double fraction;
};
constexpr Candidate kCandidates[] = {
    {"min-max", 1.0},
    {"percentile 99.999", 0.99999},
    {"percentile 99.99", 0.9999},
    {"percentile 99.9", 0.999},
};

std::map<graph::ValueId, Range> RangesOf(const Observations& observations, double fraction) {
  std::map<graph::ValueId, Range> ranges;
  for (const auto& [id, observer] : observations) ranges[id] = observer.Percentile(fraction);
  return ranges;
}

}  // namespace

absl::StatusOr<ChosenRanges> ChooseRanges(const graph::Graph& graph, const HoldOut& samples,
                                          const SampleBinding& binding,
                                          kernels::CpuFeatures features, int workers,
                                          const Progress& progress) {
  const auto part = [&](int from, int to) -> Progress {
    return [=, &progress](int percent) {
      if (progress) progress(from + (to - from) * percent / 100);
    };
  };
  ASSIGN_OR_RETURN(Observations observations,
                   Calibrate(graph, samples.fit, binding, features, workers, part(0, 60)));

  runtime::ModelOptions options;
  options.features = features;
  std::vector<std::shared_ptr<const runtime::Model>> models = {
      std::make_shared<const runtime::Model>(graph, options)};
  for (const Candidate& candidate : kCandidates) {
    models.push_back(std::make_shared<const runtime::Model>(
        ToInt8(graph, RangesOf(observations, candidate.fraction)), options));
  }
  ASSIGN_OR_RETURN(const std::vector<Evaluation> evaluations,
                   Evaluate(models, samples.check, binding, 0, workers, part(60, 90)));
  size_t best = 0;
  for (size_t i = 1; i < std::size(kCandidates); ++i) {
    if (evaluations[i + 1].fidelity.sqnr_db > evaluations[best + 1].fidelity.sqnr_db) best = i;
  }
  if (samples.disjoint) {
    ASSIGN_OR_RETURN(const Observations rest,
                     Calibrate(graph, samples.check, binding, features, workers, part(90, 100)));
    for (const auto& [id, observer] : rest) observations[id].Merge(observer);
  }
  return ChosenRanges{RangesOf(observations, kCandidates[best].fraction), kCandidates[best].name};
}

}  // namespace fourfold::quantize
