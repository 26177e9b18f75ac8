#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "onnx/onnx.pb.h"

namespace fourfold::onnx {

// Indices of the nodes, producers before consumers; the file's order where that already holds.
// INVALID_ARGUMENT names a node on a cycle, or an output that two nodes write.
absl::StatusOr<std::vector<int>> SortNodes(const ::onnx::GraphProto& graph);

}  // namespace fourfold::onnx
