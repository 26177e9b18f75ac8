#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "kernels/kernel.h"
#include "server/graph/graph.h"

namespace fourfold::runtime {

// What a caller feeds or gets: row-major elements.
struct TensorInfo {
  std::string name;
  graph::DataType type = graph::DataType::kFloat32;
  graph::Shape shape;  // of a plan all known; of a model kUnknownDim where it varies

  size_t bytes() const;
};

struct PlanOptions {
  kernels::CpuFeatures features = kernels::DetectCpuFeatures();
  int threads = 1;                           // of the Parallel that runs the plan
  kernels::PackedWeights* packed = nullptr;  // shared with other plans; outlives the plan
  std::string engine;                        // only this engine's kernels (tests); empty: any
  std::vector<graph::ValueId> observed;      // values that stay readable after a run (calibration)
  size_t arena_bytes_max = size_t{4} << 30;  // RESOURCE_EXHAUSTED above
};

// What one step of a plan does, for reports and profiles.
struct StepInfo {
  std::string node;            // the graph node's name; "" for a step that the plan added
  std::string operation;       // "Conv", "Quantize", "Reorder", ...
  std::string implementation;  // "onednn/brgconv:avx512_core_vnni"
  std::string arithmetic;      // "float32", "float16", "int8", "dynamic int8"; "" for data movement
  std::string output;          // "[1,64,56,56] uint8"
  int64_t macs = 0;            // multiply-accumulates
};

// A graph compiled for one set of input shapes: kernels chosen and prepacked, one arena laid out.
// Immutable and shared by any number of executors.
class Plan {
 public:
  struct Impl;
  explicit Plan(std::unique_ptr<const Impl> impl);
  ~Plan();

  const std::vector<TensorInfo>& inputs() const;
  const std::vector<TensorInfo>& outputs() const;
  const std::vector<StepInfo>& steps() const;

  size_t arena_bytes() const;     // of each executor
  size_t constant_bytes() const;  // constants that the plan reads in place, beside packed weights
  const Impl& impl() const { return *impl_; }

 private:
  std::unique_ptr<const Impl> impl_;
};

// Binds the shapes (one per graph input), chooses layouts and kernels and lays out memory.
//   INVALID_ARGUMENT    the shapes do not fit the graph
//   UNIMPLEMENTED       no kernel takes a node
//   RESOURCE_EXHAUSTED  the arena would be larger than allowed
absl::StatusOr<std::shared_ptr<const Plan>> CompilePlan(const graph::Graph& graph,
                                                        const std::vector<graph::Shape>& shapes,
                                                        const PlanOptions& options);

// The same for known contents of some inputs (one per graph input, null where any will do): the
// plan is right for these contents only.
absl::StatusOr<std::shared_ptr<const Plan>> CompilePlan(
    const graph::Graph& graph, const std::vector<graph::Shape>& shapes,
    const std::vector<graph::TensorPtr>& contents, const PlanOptions& options);

}  // namespace fourfold::runtime
