#include "server/quantize/calibrate.h"

#include <atomic>

#include "absl/strings/str_cat.h"
#include "server/base/status_macros.h"
#include "server/runtime/program.h"

namespace fourfold::quantize {
namespace {

using graph::ValueId;

struct Worker {
  runtime::Arena arena;
  Observations observations;
  kernels::Sequential sequential;
};

}  // namespace

absl::StatusOr<Observations> Calibrate(const graph::Graph& graph, const SampleSet& samples,
                                       const SampleBinding& binding, kernels::CpuFeatures features,
                                       int workers, const Progress& progress) {
  runtime::PlanOptions options;
  options.features = features;
  for (const graph::Node& node : graph.nodes) {
    for (ValueId id : node.outputs) {
      if (id == graph::kNoValue) continue;
      if (graph.value(id).type == graph::DataType::kFloat32) options.observed.push_back(id);
    }
  }
  kernels::PackedWeights packed;
  options.packed = &packed;
  constexpr size_t kPlansMax = 8;
  const runtime::Program program(graph, options, kPlansMax);

  std::vector<Worker> states(static_cast<size_t>(workers));
  const auto observe = [](Worker& state, ValueId id, const void* data, int64_t count) {
    state.observations[id].Observe({static_cast<const float*>(data), static_cast<size_t>(count)});
  };
  std::atomic<int64_t> done{0};
  RETURN_IF_ERROR(VisitSamples(
      samples, binding, samples.size(), workers,
      [&](int worker, int64_t, const std::vector<std::vector<std::byte>>& inputs) {
        Worker& state = states[static_cast<size_t>(worker)];
        std::vector<runtime::TensorRef> refs;
        for (size_t i = 0; i < inputs.size(); ++i) {
          const graph::DataType type = graph.value(graph.inputs[i]).type;
          const graph::Shape& shape = binding.input_shapes[i];
          refs.push_back({type, shape, inputs[i].data()});
          if (type != graph::DataType::kFloat32) continue;
          observe(state, graph.inputs[i], inputs[i].data(), graph::ElementCount(shape));
        }
        const auto observer = [&](ValueId id, const kernels::TensorSpec& spec, const void* data) {
          if (spec.type != graph::DataType::kFloat32) return;
          observe(state, id, data, graph::ElementCount(spec.dims));
        };
        RETURN_IF_ERROR(program.Run(refs, state.arena, state.sequential, observer).status());
        const int64_t now = ++done;
        if (worker == 0 && progress) progress(static_cast<int>(now * 100 / samples.size()));
        return absl::OkStatus();
      }));

  Observations merged;
  for (const Worker& state : states) {
    for (const auto& [id, observer] : state.observations) merged[id].Merge(observer);
  }
  for (const auto& [id, observer] : merged) {
    if (observer.not_finite() == 0) continue;
    return absl::InvalidArgumentError(absl::StrCat(
        "the model's value \"", graph.value(id).name, "\" overflowed on the calibration samples (",
        observer.not_finite(), " elements are not finite)"));
  }
  return merged;
}

}  // namespace fourfold::quantize
