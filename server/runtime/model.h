#pragma once

#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "server/graph/graph.h"
#include "server/runtime/plan.h"
#include "server/runtime/program.h"

namespace fourfold::runtime {

struct ModelOptions {
  kernels::CpuFeatures features = kernels::DetectCpuFeatures();
  int threads = 1;        // of each run
  std::string engine;     // only this engine's kernels; empty: any
  size_t plans_max = 16;  // cached plans (of each part); the least recently used one goes first
  size_t batch_arena_bytes_max = size_t{128} << 20;  // of a run of several requests; larger: fewer
};

// One variant in memory: an optimised graph and the plans for the shapes it has met, which share
// packed weights. Thread-safe. A plan in use outlives its place in the cache.
class Model {
 public:
  explicit Model(graph::Graph graph, ModelOptions options = {});

  const graph::Graph& graph() const { return graph_; }
  const std::vector<TensorInfo>& inputs() const { return inputs_; }
  const std::vector<TensorInfo>& outputs() const { return outputs_; }
  const ModelOptions& options() const { return options_; }

  // The first dimension of every input and output varies: samples can be stacked.
  bool batchable() const { return batchable_; }

  // How requests are batched, or why they are not, for people: what the model's file says of it.
  std::string batching() const;

  // One sample's input shapes, or `batch` of them: unknown first dimensions become `batch`.
  // INVALID_ARGUMENT if other dimensions are unknown, or batch != 1 and the model is not batchable.
  absl::StatusOr<std::vector<graph::Shape>> ShapesForBatch(int64_t batch) const;

  // Shapes or branches depend on data: no plan runs all of it, only Execute does.
  bool dynamic() const { return !program_.single_plan(); }
  // Contents of some inputs decide shapes: plans want to see them.
  bool wants_contents() const { return program_.wants_contents(); }

  // Runs any model on one set of inputs, in the model's order.
  absl::StatusOr<std::vector<graph::TensorPtr>> Execute(std::span<const TensorRef> inputs,
                                                        Arena& arena,
                                                        kernels::Parallel& parallel) const {
    return program_.Run(inputs, arena, parallel);
  }

  // The plan for these input shapes (and contents, where they are wanted), from the cache or
  // compiled into it. Not of a dynamic model: FAILED_PRECONDITION.
  absl::StatusOr<std::shared_ptr<const Plan>> PlanFor(
      const std::vector<graph::Shape>& shapes, std::span<const void* const> inputs = {}) const;

  // A plan for these input shapes that the cache does not keep. RESOURCE_EXHAUSTED if a run would
  // take more than arena_bytes_max.
  absl::StatusOr<std::shared_ptr<const Plan>> Compile(
      const std::vector<graph::Shape>& shapes,
      size_t arena_bytes_max = PlanOptions().arena_bytes_max) const;

  // Plans now in memory.
  std::vector<std::shared_ptr<const Plan>> CachedPlans() const { return program_.CachedPlans(); }

  // Packed weights and plan constants now in memory.
  size_t weight_bytes() const;

 private:
  absl::Status CheckStatic() const;

  const graph::Graph graph_;
  const ModelOptions options_;
  std::vector<TensorInfo> inputs_;
  std::vector<TensorInfo> outputs_;
  bool batchable_ = false;
  const std::unique_ptr<kernels::PackedWeights> packed_;  // outlives the plans
  const Program program_;
};

}  // namespace fourfold::runtime
