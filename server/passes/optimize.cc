#include "server/base/status_macros.h"
#include "server/graph/infer_shapes.h"
#include "server/graph/validate.h"
#include "server/passes/passes.h"

namespace fourfold::passes {

absl::Status Optimize(graph::Graph& graph, const OptimizeOptions& options) {
  RETURN_IF_ERROR(graph::InferShapes(graph));
  RETURN_IF_ERROR(RemoveIdentity(graph));
  RETURN_IF_ERROR(FoldConstants(graph));
  RETURN_IF_ERROR(AbsorbQuantization(graph));
  RETURN_IF_ERROR(FoldConstants(graph));  // what stood behind unpacked constants
  RETURN_IF_ERROR(CancelTransposes(graph));
  RETURN_IF_ERROR(graph::InferShapes(graph));
  RETURN_IF_ERROR(FoldBatchNorm(graph));
  RETURN_IF_ERROR(SplitPadding(graph));
  RETURN_IF_ERROR(FuseActivations(graph));
  if (options.fuse_residuals) RETURN_IF_ERROR(FuseResiduals(graph));
  graph::RemoveDeadNodes(graph);
  RETURN_IF_ERROR(graph::InferShapes(graph));
  return graph::Validate(graph);
}

}  // namespace fourfold::passes
