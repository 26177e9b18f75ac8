#include "server/registry/load_variant.h"

#include <string>
#include <vector>

#include "server/base/status_macros.h"
#include "server/onnx/import.h"
#include "server/passes/passes.h"
#include "server/registry/pool_parallel.h"
#include "server/runtime/executor.h"

namespace fourfold::registry {
namespace {

absl::Status Warm(const runtime::Model& model) {
  if (model.dynamic() || model.wants_contents()) return absl::OkStatus();
  const auto shapes = model.ShapesForBatch(1);
  if (!shapes.ok()) return absl::OkStatus();
  ASSIGN_OR_RETURN(const std::shared_ptr<const runtime::Plan> plan, model.PlanFor(*shapes));
  std::vector<std::string> buffers;  // zeros
  for (const runtime::TensorInfo& input : plan->inputs()) buffers.emplace_back(input.bytes(), '\0');
  for (const runtime::TensorInfo& output : plan->outputs())
    buffers.emplace_back(output.bytes(), '\0');
  std::vector<const void*> inputs;
  std::vector<void*> outputs;
  for (size_t i = 0; i < buffers.size(); ++i) {
    if (i < plan->inputs().size()) {
      inputs.push_back(buffers[i].data());
    } else {
      outputs.push_back(buffers[i].data());
    }
  }
  runtime::Arena arena;
  PoolParallel parallel(model.options().threads);
  runtime::Run(*plan, arena, inputs, outputs, parallel).IgnoreError();  // of invented inputs
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<const runtime::Model>> LoadVariant(
    std::span<const std::byte> onnx, const runtime::ModelOptions& options,
    onnx::ExternalData* external) {
  ASSIGN_OR_RETURN(graph::Graph graph, onnx::Import(onnx, {}, external));
  RETURN_IF_ERROR(passes::Optimize(graph));
  auto model = std::make_unique<const runtime::Model>(std::move(graph), options);
  RETURN_IF_ERROR(Warm(*model));
  return model;
}

}  // namespace fourfold::registry
