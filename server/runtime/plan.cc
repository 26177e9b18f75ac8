#include "server/runtime/plan.h"

#include "absl/strings/str_cat.h"
#include "server/base/status_macros.h"
#include "server/graph/infer_shapes.h"
#include "server/runtime/lowering.h"
#include "server/runtime/memory.h"
#include "server/runtime/plan_impl.h"

namespace fourfold::runtime {

size_t TensorInfo::bytes() const {
  return static_cast<size_t>(graph::ElementCount(shape)) * graph::ElementSize(type);
}

Plan::Plan(std::unique_ptr<const Impl> impl) : impl_(std::move(impl)) {}
Plan::~Plan() = default;

const std::vector<TensorInfo>& Plan::inputs() const { return impl_->inputs; }
const std::vector<TensorInfo>& Plan::outputs() const { return impl_->outputs; }
const std::vector<StepInfo>& Plan::steps() const { return impl_->infos; }
size_t Plan::arena_bytes() const { return impl_->arena_bytes; }
size_t Plan::constant_bytes() const { return impl_->constant_bytes; }

absl::StatusOr<std::shared_ptr<const Plan>> CompilePlan(const graph::Graph& graph,
                                                        const std::vector<graph::Shape>& shapes,
                                                        const PlanOptions& options) {
  return CompilePlan(graph, shapes, std::vector<graph::TensorPtr>(graph.inputs.size()), options);
}

absl::StatusOr<std::shared_ptr<const Plan>> CompilePlan(
    const graph::Graph& graph, const std::vector<graph::Shape>& shapes,
    const std::vector<graph::TensorPtr>& contents, const PlanOptions& options) {
  ASSIGN_OR_RETURN(const graph::Graph bound, graph::BindInputs(graph, shapes, contents));
  Lowering lowering(bound, options);
  RETURN_IF_ERROR(lowering.Run());
  std::unique_ptr<Plan::Impl> impl = lowering.Take();
  impl->arena_bytes = PlaceStorages(impl->storages);
  if (impl->arena_bytes > options.arena_bytes_max) {
    return absl::ResourceExhaustedError(absl::StrCat("the plan needs ", impl->arena_bytes,
                                                     " bytes of working memory, allowed are ",
                                                     options.arena_bytes_max));
  }
  return std::make_shared<const Plan>(std::move(impl));
}

}  // namespace fourfold::runtime
