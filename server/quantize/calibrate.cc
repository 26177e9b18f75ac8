#include "server/quantize/calibrate.h"

#include <atomic>

#include "absl/strings/str_cat.h"
#include "server/base/status_macros.h"
#include "server/runtime/executor.h"

namespace fourfold::quantize {
namespace {

using graph::ValueId;

struct Worker {
  runtime::Arena arena;
  std::vector<std::vector<std::byte>> outputs;
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
      if (graph.value(id).type == graph::DataType::kFloat32) options.observed.push_back(id);
    }
  }
  ASSIGN_OR_RETURN(const std::shared_ptr<const runtime::Plan> plan,
                   runtime::CompilePlan(graph, binding.input_shapes, options));

  std::vector<Worker> states(static_cast<size_t>(workers));
  for (Worker& state : states) {
    for (const runtime::TensorInfo& output : plan->outputs())
      state.outputs.emplace_back(output.bytes());
  }
  const auto observe = [](Worker& state, ValueId id, const void* data, int64_t count) {
    state.observations[id].Observe({static_cast<const float*>(data), static_cast<size_t>(count)});
  };
  std::atomic<int64_t> done{0};
  RETURN_IF_ERROR(VisitSamples(
      samples, binding, samples.size(), workers,
      [&](int worker, int64_t, const std::vector<std::vector<std::byte>>& inputs) {
        Worker& state = states[static_cast<size_t>(worker)];
        std::vector<const void*> in;
        std::vector<void*> out;
        for (const auto& input : inputs) in.push_back(input.data());
        for (auto& output : state.outputs) out.push_back(output.data());
        RETURN_IF_ERROR(runtime::Run(*plan, state.arena, in, out, state.sequential));
        for (size_t i = 0; i < graph.inputs.size(); ++i) {
          if (plan->inputs()[i].type != graph::DataType::kFloat32) continue;
          observe(state, graph.inputs[i], in[i], graph::ElementCount(plan->inputs()[i].shape));
        }
        for (ValueId id : options.observed) {
          const runtime::Observed seen = runtime::ObservedValue(*plan, state.arena, in, out, id);
          if (seen.data == nullptr || seen.spec.type != graph::DataType::kFloat32) continue;
          observe(state, id, seen.data, graph::ElementCount(seen.spec.dims));
        }
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
