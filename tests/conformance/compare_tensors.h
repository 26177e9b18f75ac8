#pragma once

#include "absl/status/status.h"
#include "server/graph/tensor.h"

namespace fourfold::conformance {

// Of ONNX's own runner: |got - wanted| <= absolute + relative * |wanted|.
struct Tolerance {
  double relative = 1e-3;
  double absolute = 1e-7;
};

// OK if type and shape are the same and all elements equal: floats within the tolerance, NaN equal
// to NaN, an infinity to itself; bfloat16 within a step; integers and booleans exactly. Else says
// where it differs first, and in how many elements.
absl::Status CompareTensors(const graph::Tensor& got, const graph::Tensor& wanted,
                            const Tolerance& tolerance = {});

}  // namespace fourfold::conformance
