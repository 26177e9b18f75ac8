#include "tests/conformance/execute.h"

#include <cstring>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/base/status_macros.h"
#include "server/runtime/executor.h"
#include "server/runtime/plan.h"

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

// Inputs of few integers become constants of the graph: they may decide shapes.
void BindIntegers(graph::Graph& graph, Tensors& inputs) {
  std::vector<graph::ValueId> ids;
  std::vector<std::vector<std::string>> dim_names;
  Tensors kept;
  for (size_t i = 0; i < inputs.size(); ++i) {
    graph::Value& value = graph.value(graph.inputs[i]);
    const bool integers = value.type == graph::DataType::kInt64 ||
                          value.type == graph::DataType::kInt32 || inputs[i]->shape().empty();
    if (integers && inputs[i]->shape().size() <= 1) {
      value.constant = inputs[i];
      value.shape = inputs[i]->shape();
      continue;
    }
    ids.push_back(graph.inputs[i]);
    dim_names.push_back(graph.input_dim_names.size() > i ? graph.input_dim_names[i]
                                                         : std::vector<std::string>());
    kept.push_back(inputs[i]);
  }
  graph.inputs = std::move(ids);
  graph.input_dim_names = std::move(dim_names);
  inputs = std::move(kept);
}

absl::StatusOr<std::shared_ptr<const runtime::Plan>> Compile(const graph::Graph& graph,
                                                             const Tensors& inputs,
                                                             const ExecuteOptions& options) {
  std::vector<graph::Shape> shapes;
  for (const TensorPtr& input : inputs) shapes.push_back(input->shape());
  runtime::PlanOptions plan_options;
  plan_options.engine = options.engine;
  return runtime::CompilePlan(graph, shapes, plan_options);
}

absl::StatusOr<Tensors> RunPlan(const runtime::Plan& plan, const Tensors& inputs) {
  std::vector<const void*> in;
  for (const TensorPtr& input : inputs) in.push_back(input->data());
  std::vector<std::vector<std::byte>> buffers;
  std::vector<void*> out;
  for (const runtime::TensorInfo& info : plan.outputs()) {
    // Rubbish, so that what nobody writes is seen; one byte more, so that none is null.
    out.push_back(buffers.emplace_back(info.bytes() + 1, std::byte{0xCD}).data());
  }
  runtime::Arena arena;
  std::memset(arena.Reserve(plan.arena_bytes()), 0xCD, plan.arena_bytes());
  kernels::Sequential sequential;
  RETURN_IF_ERROR(runtime::Run(plan, arena, in, out, sequential));
  Tensors outputs;
  for (size_t i = 0; i < buffers.size(); ++i) {
    const runtime::TensorInfo& info = plan.outputs()[i];
    outputs.push_back(
        graph::Tensor::Copy(info.type, info.shape, std::span(buffers[i]).first(info.bytes())));
  }
  return outputs;
}

}  // namespace

absl::StatusOr<Tensors> Execute(const graph::Graph& graph, const Tensors& inputs,
                                const ExecuteOptions& options) {
  RETURN_IF_ERROR(CheckInputs(graph, inputs));
  Tensors fed = inputs;
  auto plan = Compile(graph, fed, options);
  if (absl::IsInvalidArgument(plan.status())) {
    graph::Graph bound = graph;
    BindIntegers(bound, fed);
    plan = Compile(bound, fed, options);
  }
  RETURN_IF_ERROR(plan.status());
  return RunPlan(**plan, fed);
}

}  // namespace fourfold::conformance
