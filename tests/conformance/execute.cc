#include "tests/conformance/execute.h"

#include "absl/strings/str_cat.h"
#include "server/base/status_macros.h"
#include "server/runtime/program.h"

namespace fourfold::conformance {
namespace {

using graph::TensorPtr;
using Tensors = std::vector<TensorPtr>;

absl::Status CheckInputs(const graph::Graph& graph, const Tensors& inputs) {
  if (inputs.size() != graph.inputs.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("the data has ", inputs.size(), " inputs, the model ", graph.inputs.size()));
  }
  for (size_t i = 0; i < inputs.size(); ++i) {
    const graph::Value& value = graph.value(graph.inputs[i]);
    if (value.type != inputs[i]->type()) {
      return absl::InvalidArgumentError(absl::StrCat("input '", value.name, "' is ",
                                                     graph::TypeText(value.type), ", the data has ",
                                                     graph::TypeText(inputs[i]->type())));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Tensors> Execute(const graph::Graph& graph, const Tensors& inputs,
                                const ExecuteOptions& options) {
  RETURN_IF_ERROR(CheckInputs(graph, inputs));
  kernels::PackedWeights packed;
  runtime::PlanOptions plan_options;
  plan_options.engine = options.engine;
  plan_options.packed = &packed;
  constexpr size_t kPlansMax = 16;
  const runtime::Program program(graph, plan_options, kPlansMax);
  std::vector<runtime::TensorRef> fed;
  for (const TensorPtr& input : inputs) {
    fed.push_back({input->type(), input->shape(), input->data()});
  }
  runtime::Arena arena;
  kernels::Sequential sequential;
  return program.Run(fed, arena, sequential);
}

}  // namespace fourfold::conformance
