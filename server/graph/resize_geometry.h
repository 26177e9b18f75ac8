#pragma once

#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "kernels/resize.h"
#include "server/graph/operations.h"

namespace fourfold::graph {

// What a Resize's optional inputs mean for each dimension of its input, as far as they are known.
struct ResizeGeometry {
  Shape dims;                 // of the output
  std::vector<float> scales;  // meaningless where `dims` is unknown
  std::vector<float> starts;  // of the region, in units of the last index: 0 to 1 for all of it
  std::vector<float> ends;
};

// The inputs beside x: their elements, as far as they are known; absent or empty ones are not
// there. One of scales and sizes is; or neither, if it is not known.
struct ResizeInputs {
  std::optional<std::vector<float>> scales;
  std::optional<std::vector<std::optional<int64_t>>> sizes;
  std::optional<std::vector<float>> region;
};

// Those of the inputs that are constants; null where they are not.
ResizeInputs ReadResizeInputs(const Tensor* scales, const Tensor* sizes, const Tensor* region);

// INVALID_ARGUMENT says what does not fit `x`, which may have unknown dimensions.
absl::StatusOr<ResizeGeometry> ResolveResize(const Resize& resize, const Shape& x,
                                             const ResizeInputs& inputs);

// What a kernel is to do; src and dst in any layout. UNIMPLEMENTED where the inputs do not tell
// what becomes of src.
absl::StatusOr<kernels::ResizeSpec> MakeResizeSpec(const Resize& resize, const ResizeInputs& inputs,
                                                   const kernels::TensorSpec& src,
                                                   const kernels::TensorSpec& dst);

}  // namespace fourfold::graph
