#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "server/graph/tensor.h"

namespace fourfold::graph {

// What an equation of Einsum says: one label for each dimension of each operand and of the result.
// Letters have labels below 52; the dimensions of an ellipsis, counted from its last one so that
// operands broadcast, have those from 52 on.
struct EinsumLabels {
  std::vector<std::vector<int>> operands;
  std::vector<int> result;
};

// Reads "ij,jk->ik", with blanks, ellipses, repeated letters or without a result, for operands of
// these ranks. INVALID_ARGUMENT says what of it is wrong.
absl::StatusOr<EinsumLabels> ParseEinsum(const std::string& equation,
                                         const std::vector<size_t>& ranks);

}  // namespace fourfold::graph
