#pragma once

#include <functional>
#include <map>

#include "absl/status/statusor.h"
#include "server/graph/graph.h"
#include "server/quantize/observer.h"
#include "server/quantize/samples.h"

namespace fourfold::quantize {

// What was seen of each float32 value that a graph computes or is fed.
using Observations = std::map<graph::ValueId, TensorObserver>;

// percent from 0 to 100 of the current stage.
using Progress = std::function<void(int percent)>;

// Runs the float graph on every sample and observes all its activations as they are made: memory
// does not depend on the number of samples, the result not on their order.
//   INVALID_ARGUMENT   a sample is not finite, or an activation overflowed (named)
absl::StatusOr<Observations> Calibrate(const graph::Graph& graph, const SampleSet& samples,
                                       const SampleBinding& binding, kernels::CpuFeatures features,
                                       int workers, const Progress& progress);

}  // namespace fourfold::quantize
