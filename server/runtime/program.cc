#include "server/runtime/program.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/base/status_macros.h"
#include "server/graph/contents.h"
#include "server/graph/dynamic_operation.h"
#include "server/graph/shapes.h"
#include "server/runtime/control_flow.h"

namespace fourfold::runtime {

using graph::Graph;
using graph::kNoValue;
using graph::Node;
using graph::Tensor;
using graph::TensorPtr;
using graph::ValueId;

struct Program::Step {
  Node node;
  std::vector<std::shared_ptr<const Program>> bodies;  // If: then, else; Loop, Scan: one
};

// The tensors of one run, by value.
class Program::Values {
 public:
  Values(const Graph& graph, std::span<const TensorRef> inputs)
      : graph_(graph), tensors_(graph.value_count()) {
    for (size_t i = 0; i < graph.inputs.size(); ++i) {
      // Borrowed for the run.
      Set(graph.inputs[i],
          std::make_shared<const Tensor>(
              inputs[i].type, inputs[i].shape,
              std::shared_ptr<const void>(std::shared_ptr<const void>(), inputs[i].data)));
    }
  }

  void Set(ValueId id, TensorPtr tensor) { tensors_[static_cast<size_t>(id)] = std::move(tensor); }

  // Null for absent inputs.
  TensorPtr Get(ValueId id) const {
    if (id == kNoValue) return nullptr;
    const TensorPtr& tensor = tensors_[static_cast<size_t>(id)];
    return tensor != nullptr ? tensor : graph_.value(id).constant;
  }

 private:
  const Graph& graph_;
  std::vector<TensorPtr> tensors_;
};

Program::Program(const Graph& graph, PlanOptions options, size_t plans_max)
    : graph_(graph), options_(std::move(options)) {
  for (Stage& stage : SplitStages(graph_)) {
    PlanOptions own = options_;
    own.observed.clear();
    for (const Node& node : stage.graph.nodes) {
      for (ValueId id : node.outputs) {
        if (std::find(options_.observed.begin(), options_.observed.end(), id) !=
            options_.observed.end()) {
          own.observed.push_back(id);
        }
      }
    }
    for (bool wanted : stage.wants_contents) wants_contents_ = wants_contents_ || wanted;
    PlanOptions inner = options_;
    inner.observed.clear();
    std::vector<Step>& steps = steps_.emplace_back();
    for (const Node& node : stage.dynamic) {
      Step step{node, {}};
      for (const std::shared_ptr<const Graph>& body : graph::Bodies(node.operation))
        step.bodies.push_back(std::make_shared<const Program>(*body, inner, plans_max));
      steps.push_back(std::move(step));
    }
    stages_.push_back(
        std::make_unique<const PlanCache>(std::move(stage), std::move(own), plans_max));
  }
}

Program::~Program() = default;

std::vector<std::shared_ptr<const Plan>> Program::CachedPlans() const {
  std::vector<std::shared_ptr<const Plan>> plans;
  const auto add = [&](const std::vector<std::shared_ptr<const Plan>>& more) {
    plans.insert(plans.end(), more.begin(), more.end());
  };
  for (size_t s = 0; s < stages_.size(); ++s) {
    add(stages_[s]->Plans());
    for (const Step& step : steps_[s]) {
      for (const auto& body : step.bodies) add(body->CachedPlans());
    }
  }
  return plans;
}

absl::StatusOr<std::vector<TensorPtr>> Program::Run(std::span<const TensorRef> inputs, Arena& arena,
                                                    kernels::Parallel& parallel,
                                                    const Observer& observer) const {
  if (inputs.size() != graph_.inputs.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("got ", inputs.size(), " inputs, wanted ", graph_.inputs.size()));
  }
  Values values(graph_, inputs);
  for (size_t s = 0; s < stages_.size(); ++s) {
    RETURN_IF_ERROR(RunStage(s, values, arena, parallel, observer));
    for (const Step& step : steps_[s]) RETURN_IF_ERROR(RunStep(step, values, parallel));
  }
  std::vector<TensorPtr> outputs;
  for (size_t i = 0; i < graph_.outputs.size(); ++i) {
    const ValueId id = graph_.outputs[i];
    TensorPtr output = values.Get(id);
    if (output == nullptr) {
      return absl::InternalError(
          absl::StrCat("output ", graph_.value(id).name, " was not computed"));
    }
    for (ValueId input : graph_.inputs) {  // the caller's memory is not the answer's
      if (input != id) continue;
      output = Tensor::Copy(output->type(), output->shape(),
                            {static_cast<const std::byte*>(output->data()), output->bytes()});
      break;
    }
    outputs.push_back(std::move(output));
  }
  return outputs;
}

absl::Status Program::RunStage(size_t s, Values& values, Arena& arena, kernels::Parallel& parallel,
                               const Observer& observer) const {
  const Graph& graph = stages_[s]->stage().graph;
  if (graph.nodes.empty()) return absl::OkStatus();
  std::vector<graph::Shape> shapes;
  std::vector<const void*> from;
  for (ValueId id : graph.inputs) {
    const TensorPtr input = values.Get(id);
    if (input == nullptr) {
      return absl::InternalError(
          absl::StrCat("value ", graph.value(id).name, " is used before it is computed"));
    }
    shapes.push_back(input->shape());
    from.push_back(input->data());
  }
  ASSIGN_OR_RETURN(const std::shared_ptr<const Plan> plan, stages_[s]->Get(shapes, from));
  std::vector<void*> to;
  for (size_t i = 0; i < plan->outputs().size(); ++i) {
    const TensorInfo& info = plan->outputs()[i];
    std::shared_ptr<void> memory = kernels::AllocateAligned(info.bytes());
    to.push_back(memory.get());
    values.Set(graph.outputs[i],
               std::make_shared<const Tensor>(info.type, info.shape, std::move(memory)));
  }
  RETURN_IF_ERROR(runtime::Run(*plan, arena, from, to, parallel));
  if (!observer) return absl::OkStatus();
  for (ValueId id : options_.observed) {
    const Observed seen = ObservedValue(*plan, arena, from, to, id);
    if (seen.data != nullptr) observer(id, seen.spec, seen.data);
  }
  return absl::OkStatus();
}

absl::Status Program::RunStep(const Step& step, Values& values, kernels::Parallel& parallel) const {
  std::vector<TensorPtr> inputs;
  std::vector<const Tensor*> plain;
  for (ValueId id : step.node.inputs) {
    inputs.push_back(values.Get(id));
    if (id != kNoValue && inputs.back() == nullptr) {
      return absl::InternalError(
          absl::StrCat("value ", graph_.value(id).name, " is used before it is computed"));
    }
    plain.push_back(inputs.back().get());
  }
  absl::StatusOr<std::vector<TensorPtr>> outputs = std::visit(
      [&](const auto& op) -> absl::StatusOr<std::vector<TensorPtr>> {
        using Op = std::decay_t<decltype(op)>;
        if constexpr (std::is_same_v<Op, graph::If>) {
          return RunIf(*step.bodies[0], *step.bodies[1], inputs, parallel);
        } else if constexpr (std::is_same_v<Op, graph::Loop>) {
          return RunLoop(op, *step.bodies[0], inputs, parallel);
        } else if constexpr (std::is_same_v<Op, graph::Scan>) {
          return RunScan(op, *step.bodies[0], inputs, parallel);
        } else {
          return graph::RunDynamic(op, plain);
        }
      },
      step.node.operation);
  if (!outputs.ok()) {
    return absl::Status(
        outputs.status().code(),
        absl::StrCat("node \"", step.node.name, "\" (", graph::OperationName(step.node.operation),
                     "): ", outputs.status().message()));
  }
  for (size_t i = 0; i < step.node.outputs.size() && i < outputs->size(); ++i) {
    if (step.node.outputs[i] != kNoValue) values.Set(step.node.outputs[i], (*outputs)[i]);
  }
  return absl::OkStatus();
}

}  // namespace fourfold::runtime
