#include "server/base/status_macros.h"
#include "server/graph/infer_shapes.h"
#include "server/graph/inline_branches.h"
#include "server/graph/validate.h"
#include "server/passes/passes.h"

namespace fourfold::passes {

namespace {

absl::Status OptimizeBody(std::shared_ptr<const graph::Graph>& body,
                          const OptimizeOptions& options) {
  graph::Graph inner = *body;
  RETURN_IF_ERROR(Optimize(inner, options));
  body = std::make_shared<const graph::Graph>(std::move(inner));
  return absl::OkStatus();
}

// The graphs inside of nodes.
absl::Status OptimizeBodies(graph::Graph& graph, const OptimizeOptions& options) {
  for (graph::Node& node : graph.nodes) {
    if (auto* branches = node.as<graph::If>()) {
      RETURN_IF_ERROR(OptimizeBody(branches->then_branch, options));
      RETURN_IF_ERROR(OptimizeBody(branches->else_branch, options));
    } else if (auto* loop = node.as<graph::Loop>()) {
      RETURN_IF_ERROR(OptimizeBody(loop->body, options));
    } else if (auto* scan = node.as<graph::Scan>()) {
      RETURN_IF_ERROR(OptimizeBody(scan->body, options));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status Optimize(graph::Graph& graph, const OptimizeOptions& options) {
  RETURN_IF_ERROR(graph::InferShapes(graph));
  while (graph::InlineBranches(graph)) RETURN_IF_ERROR(graph::InferShapes(graph));
  RETURN_IF_ERROR(OptimizeBodies(graph, options));
  RETURN_IF_ERROR(WidenFloats(graph));
  RETURN_IF_ERROR(graph::InferShapes(graph));
  RETURN_IF_ERROR(LowerEinsum(graph));
  RETURN_IF_ERROR(RemoveIdentity(graph));
  RETURN_IF_ERROR(SimplifyRecurrent(graph));
  RETURN_IF_ERROR(FoldConstants(graph));
  RETURN_IF_ERROR(AbsorbQuantization(graph));
  RETURN_IF_ERROR(ExpandQuantization(graph));
  RETURN_IF_ERROR(FoldConstants(graph));  // what stood behind unpacked constants
  RETURN_IF_ERROR(SinkTransposes(graph));
  RETURN_IF_ERROR(CancelTransposes(graph));
  graph::RemoveDeadNodes(graph);  // transposes that nobody reads now would hinder fusion
  RETURN_IF_ERROR(graph::InferShapes(graph));
  RETURN_IF_ERROR(FuseNormalization(graph));
  RETURN_IF_ERROR(ExpandConvTranspose(graph));
  RETURN_IF_ERROR(FoldBatchNorm(graph));
  RETURN_IF_ERROR(SplitPadding(graph));
  RETURN_IF_ERROR(FuseActivations(graph));
  if (options.fuse_residuals) RETURN_IF_ERROR(FuseResiduals(graph));
  graph::RemoveDeadNodes(graph);
  RETURN_IF_ERROR(graph::InferShapes(graph));
  return graph::Validate(graph);
}

}  // namespace fourfold::passes
