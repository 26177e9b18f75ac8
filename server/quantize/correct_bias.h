#pragma once

#include "absl/status/statusor.h"
#include "server/graph/graph.h"
#include "server/quantize/calibrate.h"
#include "server/quantize/samples.h"

namespace fourfold::quantize {

// Empirical bias correction (Nagel et al. 2019, "Data-Free Quantization Through Weight Equalization
// and Bias Correction", section 4.2, on samples instead of batch-norm statistics). Rounding weights
// and activations moves the mean of what a Conv or MatMul computes; the difference of the means,
// per output channel and in front of the activation, is added to its bias. Nodes are corrected in
// order, each with the ones before it corrected.
//
// `quantized` was made of `reference` and has its node names. At most 64 samples are used.
absl::StatusOr<graph::Graph> CorrectBias(const graph::Graph& reference,
                                         const graph::Graph& quantized, const SampleSet& samples,
                                         const SampleBinding& binding,
                                         kernels::CpuFeatures features, int workers,
                                         const Progress& progress);

}  // namespace fourfold::quantize
