#pragma once

#include "absl/status/statusor.h"
#include "onnx/onnx.pb.h"
#include "server/graph/tensor.h"
#include "server/onnx/external_tensors.h"
#include "server/onnx/import.h"

namespace fourfold::onnx {

// The constant that a message holds, in raw_data or in the field of its type, or whose place in
// another file it states; sizes are checked against the dimensions before memory is taken. One in
// another file is not copied, unless its place is not aligned for its type.
//   INVALID_ARGUMENT   sizes that do not fit, limits, external data that cannot be had (with
//                      `external` null: any)
//   UNIMPLEMENTED      element types we lack
absl::StatusOr<graph::TensorPtr> ImportTensor(const ::onnx::TensorProto& tensor,
                                              const ImportLimits& limits,
                                              ExternalTensors* external = nullptr);

// Number of elements; INVALID_ARGUMENT for negative dimensions and over the limits. kUnknownDim
// counts as 1.
absl::StatusOr<int64_t> CheckedElementCount(const graph::Shape& shape, const ImportLimits& limits);

}  // namespace fourfold::onnx
