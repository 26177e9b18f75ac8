#pragma once

#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "server/graph/graph.h"
#include "server/quantize/calibrate.h"
#include "server/quantize/hold_out.h"

namespace fourfold::quantize {

struct ChosenRanges {
  std::map<graph::ValueId, Range> ranges;
  std::string calibrator;  // "min-max" or "percentile 99.99"
};

// Calibrates the float graph and picks, for the whole model, the calibrator whose int8 graph
// answers most like the float graph (signal to quantization noise at the outputs) on samples that
// it was not calibrated on. The winner's ranges are then taken from all samples.
absl::StatusOr<ChosenRanges> ChooseRanges(const graph::Graph& graph, const HoldOut& samples,
                                          const SampleBinding& binding,
                                          kernels::CpuFeatures features, int workers,
                                          const Progress& progress);

}  // namespace fourfold::quantize
