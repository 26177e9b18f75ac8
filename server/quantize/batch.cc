#include "server/quantize/batch.h"

#include "absl/strings/str_cat.h"
#include "server/base/status_macros.h"
#include "server/graph/names.h"
#include "server/passes/passes.h"
#include "server/runtime/model.h"
#include "server/runtime/stacked_plans.h"

namespace fourfold::quantize {
namespace {

constexpr int64_t kTrialRequests = 3;

// The freed graph, tried.
absl::StatusOr<graph::Graph> Free(const graph::Graph& graph, kernels::CpuFeatures features) {
  ASSIGN_OR_RETURN(graph::Graph freed, passes::FreeBatch(graph));
  runtime::ModelOptions options;
  options.features = features;
  const runtime::Model model(freed, options);
  if (!model.batchable()) return absl::FailedPreconditionError("its shapes depend on the data");
  ASSIGN_OR_RETURN(const std::vector<graph::Shape> shapes, model.ShapesForBatch(1));
  runtime::StackedPlans trial(model);
  kernels::Sequential sequential;
  RETURN_IF_ERROR(trial.Prepare(shapes, kTrialRequests, sequential));
  return freed;
}

}  // namespace

void SettleBatch(graph::Graph& graph, kernels::CpuFeatures features) {
  std::string& batching = graph.metadata[graph::kBatchingKey];
  if (runtime::Model(graph).batchable()) {
    batching = "batched: exported for any number of samples";
    return;
  }
  absl::StatusOr<graph::Graph> freed = Free(graph, features);
  if (!freed.ok()) {
    batching = absl::StrCat("one by one: ", freed.status().message());
    return;
  }
  graph = *std::move(freed);
  graph.metadata[graph::kBatchingKey] =
      "batched: exported for one sample, any number of them gave the same answers";
}

}  // namespace fourfold::quantize
