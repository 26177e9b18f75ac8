#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "kernels/kernel.h"
#include "server/graph/graph.h"
#include "server/runtime/program.h"

namespace fourfold::runtime {

// Nodes whose bodies run as often as the data say. Inputs and outputs as operations.h lists them.

absl::StatusOr<std::vector<graph::TensorPtr>> RunIf(const Program& then_branch,
                                                    const Program& else_branch,
                                                    const std::vector<graph::TensorPtr>& inputs,
                                                    kernels::Parallel& parallel);

// RESOURCE_EXHAUSTED beyond Program::kLoopIterationsMax.
absl::StatusOr<std::vector<graph::TensorPtr>> RunLoop(const graph::Loop& loop, const Program& body,
                                                      const std::vector<graph::TensorPtr>& inputs,
                                                      kernels::Parallel& parallel);

absl::StatusOr<std::vector<graph::TensorPtr>> RunScan(const graph::Scan& scan, const Program& body,
                                                      const std::vector<graph::TensorPtr>& inputs,
                                                      kernels::Parallel& parallel);

}  // namespace fourfold::runtime
