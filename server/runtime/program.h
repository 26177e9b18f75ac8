#pragma once

#include <functional>
#include <list>
#include <map>
#include <memory>
#include <span>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "server/graph/graph.h"
#include "server/runtime/executor.h"
#include "server/runtime/plan.h"
#include "server/runtime/stages.h"

namespace fourfold::runtime {

// A tensor that somebody else owns: row-major.
struct TensorRef {
  graph::DataType type = graph::DataType::kFloat32;
  graph::Shape shape;
  const void* data = nullptr;
};

// The plans of one graph for the shapes, and where they decide shapes the contents, of its inputs.
// Bounded: the least recently used plan goes first. Thread-safe; a plan in use outlives its place.
class PlanCache {
 public:
  // `options.packed` outlives the cache.
  PlanCache(Stage stage, PlanOptions options, size_t plans_max);

  const Stage& stage() const { return stage_; }

  // Compiled plans one after another; who finds his in the cache does not wait for that.
  // `inputs` have to be there where contents are wanted.
  absl::StatusOr<std::shared_ptr<const Plan>> Get(const std::vector<graph::Shape>& shapes,
                                                  std::span<const void* const> inputs) const;

  std::vector<std::shared_ptr<const Plan>> Plans() const;

  // A plan that the cache does not keep.
  absl::StatusOr<std::shared_ptr<const Plan>> Compile(const std::vector<graph::Shape>& shapes,
                                                      std::span<const void* const> inputs,
                                                      size_t arena_bytes_max) const;

 private:
  struct Key {
    std::vector<graph::Shape> shapes;
    std::vector<std::string> contents;  // bytes of the inputs whose contents matter

    friend bool operator==(const Key&, const Key&) = default;
  };
  struct Entry {
    Key key;
    std::shared_ptr<const Plan> plan;
  };

  absl::StatusOr<Key> KeyOf(const std::vector<graph::Shape>& shapes,
                            std::span<const void* const> inputs) const;
  std::shared_ptr<const Plan> Cached(const Key& key) const;
  absl::StatusOr<std::shared_ptr<const Plan>> CompileKey(const Key& key,
                                                         size_t arena_bytes_max) const;

  const Stage stage_;
  const PlanOptions options_;
  const size_t plans_max_;

  mutable absl::Mutex compiling_;  // taken before mutex_
  mutable absl::Mutex mutex_;
  mutable std::list<Entry> plans_ ABSL_GUARDED_BY(mutex_);  // most recently used first
};

// A graph that can be run on anything its inputs admit: plans, and between them the nodes whose
// shapes or branches depend on data. Thread-safe.
class Program {
 public:
  // More iterations of a Loop are RESOURCE_EXHAUSTED, so that a condition that stays true ends.
  static constexpr int64_t kLoopIterationsMax = int64_t{1} << 20;

  // `options.packed` outlives the program. `options.observed` values are shown to an Observer.
  Program(const graph::Graph& graph, PlanOptions options, size_t plans_max);
  ~Program();

  // One plan runs all of it: then plan() gives what to run, without copies.
  bool single_plan() const { return stages_.size() == 1 && steps_[0].empty(); }
  // Some plan is made for contents of inputs.
  bool wants_contents() const { return wants_contents_; }
  const PlanCache& plan() const { return *stages_.front(); }

  // All plans now in memory, of bodies too.
  std::vector<std::shared_ptr<const Plan>> CachedPlans() const;

  // What a plan computed, while it is readable.
  using Observer =
      std::function<void(graph::ValueId, const kernels::TensorSpec& spec, const void* data)>;

  // Runs on `inputs` (one per graph input) and gives the outputs in the graph's order. Types of
  // inputs have to be the graph's; shapes are checked.
  absl::StatusOr<std::vector<graph::TensorPtr>> Run(std::span<const TensorRef> inputs, Arena& arena,
                                                    kernels::Parallel& parallel,
                                                    const Observer& observer = {}) const;

 private:
  struct Step;  // a dynamic node with the programs of its bodies
  class Values;

  absl::Status RunStage(size_t s, Values& values, Arena& arena, kernels::Parallel& parallel,
                        const Observer& observer) const;
  absl::Status RunStep(const Step& step, Values& values, kernels::Parallel& parallel) const;

  const graph::Graph graph_;
  const PlanOptions options_;
  bool wants_contents_ = false;
  std::vector<std::unique_ptr<const PlanCache>> stages_;
  std::vector<std::vector<Step>> steps_;  // by stage
};

}  // namespace fourfold::runtime
