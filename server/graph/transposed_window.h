#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "server/graph/operations.h"

namespace fourfold::graph {

// A ConvTranspose's window for one size of image with everything written out. Pads at the end are
// not kept: the size of the output implies them.
struct TransposedWindow {
  std::vector<int64_t> kernel;
  std::vector<int64_t> strides;
  std::vector<int64_t> dilations;
  std::vector<int64_t> pads_begin;
  std::vector<int64_t> output;  // spatial; all above 0
};

// `image` and `kernel` are spatial and known. As ONNX: a given output_shape, or auto_pad, implies
// the pads; pads that it would make negative are 0. INVALID_ARGUMENT says what does not fit.
absl::StatusOr<TransposedWindow> ResolveTransposedWindow(const ConvTranspose& conv,
                                                         const std::vector<int64_t>& image,
                                                         const std::vector<int64_t>& kernel);

// The shape of a MaxUnpool's output as its window implies it for x: N, C, then space. Dimensions of
// x may be unknown. INVALID_ARGUMENT says what does not fit.
absl::StatusOr<Shape> UnpooledShape(const MaxUnpool& unpool, const Shape& x);

}  // namespace fourfold::graph
