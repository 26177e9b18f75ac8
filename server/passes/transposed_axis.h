#pragma once

#include <optional>
#include <vector>

#include "server/graph/graph.h"

namespace fourfold::passes {

// One dimension of a transposed convolution as an ordinary one of stride 1 computes it: output o is
// phase (o + crop_begin) % stride at position (o + crop_begin) / stride. Its sum runs over taps j,
// input position - pad_begin + j * dilation times the weights' element tap[phase][j].
struct TransposedAxis {
  int64_t stride = 1;
  int64_t taps = 1;
  int64_t dilation = 1;
  int64_t pad_begin = 0, pad_end = 0;     // of the ordinary convolution
  int64_t crop_begin = 0, crop_end = 0;   // of the interleaved phases
  std::vector<std::vector<int64_t>> tap;  // -1: a weight of 0
};

// Of all dimensions of space. Nothing where sizes that they depend on are not known, or where the
// weights with their zeros would become more than kMostGrowth times as many.
inline constexpr double kMostGrowth = 16.0;
std::optional<std::vector<TransposedAxis>> TransposedAxes(const graph::ConvTranspose& conv,
                                                          const graph::Shape& x,
                                                          const graph::Shape& weights);

// Product of the strides.
int64_t PhasesOf(const std::vector<TransposedAxis>& axes);

}  // namespace fourfold::passes
