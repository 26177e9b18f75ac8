#include "server/graph/plain_kernels.h"

namespace fourfold::graph {

absl::StatusOr<std::vector<int64_t>> PlainCall::Integers(size_t i, const char* what) const {
  if (constants[i] != nullptr) return constants[i]->ToInt64();
  return absl::UnimplementedError(absl::StrCat("node \"", node.name, "\" (",
                                               OperationName(node.operation), "): ", what,
                                               " that depend on the data"));
}

absl::StatusOr<kernels::PreparedPtr> PreparePlain(const PlainCall& call,
                                                  const kernels::PrepareContext& context) {
  return std::visit([&](const auto& op) { return PlainOf(call, op, context); },
                    call.node.operation);
}

}  // namespace fourfold::graph
