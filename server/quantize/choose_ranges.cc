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

constexpr int64_t kHeldOutEvery = 5;
constexpr int64_t kHeldOutMost = 64;

// Some samples of a set, which it borrows.
class Subset final : public SampleSet {
 public:
  Subset(const SampleSet& all, std::vector<int64_t> indices) : all_(all), indices_(std::move(indices)) {}

  int64_t size() const override { return static_cast<int64_t>(indices_.size()); }
  const std::vector<SampleInput>& inputs() const override { return all_.inputs(); }
  absl::StatusOr<std::vector<std::vector<std::byte>>> Read(int64_t index) const override {
    return all_.Read(indices_[static_cast<size_t>(index)]);
  }
  std::span<const int64_t> labels() const override { return {}; }

 private:
  const SampleSet& all_;
  const std::vector<int64_t> indices_;
};

std::map<graph::ValueId, Range> RangesOf(const Observations& observations, double fraction) {
  std::map<graph::ValueId, Range> ranges;
  for (const auto& [id, observer] : observations) ranges[id] = observer.Percentile(fraction);
  return ranges;
}

}  // namespace

absl::StatusOr<ChosenRanges> ChooseRanges(const graph::Graph& graph, const SampleSet& samples,
                                          const SampleBinding& binding, kernels::CpuFeatures features,
                                          int workers, const Progress& progress) {
  std::vector<int64_t> fitted;
  std::vector<int64_t> held_out;
  for (int64_t i = 0; i < samples.size(); ++i) {
    const bool hold = i % kHeldOutEvery == kHeldOutEvery - 1 &&
                      static_cast<int64_t>(held_out.size()) < kHeldOutMost;
    (hold ? held_out : fitted).push_back(i);
  }
  if (held_out.empty()) held_out = fitted;  // too few to spare any
  const Subset fit(samples, fitted);
  const Subset check(samples, held_out);

  const auto part = [&](int from, int to) -> Progress {
    return [=, &progress](int percent) {
      if (progress) progress(from + (to - from) * percent / 100);
    };
  };
  ASSIGN_OR_RETURN(Observations observations,
                   Calibrate(graph, fit, binding, features, workers, part(0, 60)));

  runtime::ModelOptions options;
  options.features = features;
  std::vector<std::shared_ptr<const runtime::Model>> models = {
      std::make_shared<const runtime::Model>(graph, options)};
  for (const Candidate& candidate : kCandidates) {
    models.push_back(std::make_shared<const runtime::Model>(
        ToInt8(graph, RangesOf(observations, candidate.fraction)), options));
  }
  ASSIGN_OR_RETURN(const std::vector<Evaluation> evaluations,
                   Evaluate(models, check, binding, 0, workers, part(60, 90)));
  size_t best = 0;
  for (size_t i = 1; i < std::size(kCandidates); ++i) {
    if (evaluations[i + 1].fidelity.sqnr_db > evaluations[best + 1].fidelity.sqnr_db) best = i;
  }
  if (held_out != fitted) {
    ASSIGN_OR_RETURN(const Observations rest,
                     Calibrate(graph, check, binding, features, workers, part(90, 100)));
    for (const auto& [id, observer] : rest) observations[id].Merge(observer);
  }
  return ChosenRanges{RangesOf(observations, kCandidates[best].fraction), kCandidates[best].name};
}

}  // namespace fourfold::quantize
