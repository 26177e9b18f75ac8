#pragma once

#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "server/graph/graph.h"

namespace fourfold::graph {

// Operations whose outputs' shapes are known only when they have run: one overload each, on whole
// tensors. Inputs by position, null where absent; outputs as many as the operation has.
// INVALID_ARGUMENT for inputs that do not fit; the caller says which node.
template <typename Op>
absl::StatusOr<std::vector<TensorPtr>> RunDynamic(const Op& op, std::span<const Tensor* const>) {
  return absl::UnimplementedError(absl::StrCat(OperationName(op), " whose shapes depend on data"));
}

}  // namespace fourfold::graph
