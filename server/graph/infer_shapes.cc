#include "server/graph/infer_shapes.h"

#include <set>

#include "server/base/status_macros.h"
#include "server/graph/evaluate.h"
#include "server/graph/infer_node.h"
#include "server/graph/inline_branches.h"
#include "server/graph/shapes.h"

namespace fourfold::graph {

namespace {

// Shape arithmetic is small; larger constants are a matter of the constant folding pass.
constexpr size_t kShapeArithmeticBytes = 16 << 10;

bool BecomesConstant(Graph& graph, const Node& node, size_t max_bytes) {
  if (UnpacksStoredConstant(graph, node)) return false;
  std::optional<std::vector<TensorPtr>> results = EvaluateConstant(graph, node, max_bytes);
  if (!results) return false;
  for (size_t i = 0; i < node.outputs.size(); ++i) {
    if (node.outputs[i] == kNoValue) continue;
    Value& value = graph.value(node.outputs[i]);
    value.type = (*results)[i]->type();
    value.shape = (*results)[i]->shape();
    value.constant = std::move((*results)[i]);
  }
  return true;
}

// Keeps what is known of an integer output's elements; a constant once all are.
bool LearnContents(Graph& graph, const Node& node, KnownContents& contents) {
  const std::optional<KnownIntegers> elements = PropagateIntegers(NodeView(graph, node, &contents));
  if (!elements || node.outputs.size() != 1 || node.outputs[0] == kNoValue) return false;
  Value& value = graph.value(node.outputs[0]);
  if (!value.shape || value.shape->size() > 1) return false;
  if (KnownCount(*value.shape) != static_cast<int64_t>(elements->size())) return false;
  contents[node.outputs[0]] = *elements;
  std::vector<int64_t> known;
  for (const std::optional<int64_t>& element : *elements) {
    if (!element) return false;
    known.push_back(*element);
  }
  if (value.type == DataType::kInt64) {
    value.constant = Tensor::Of<int64_t>(DataType::kInt64, *value.shape, known);
  } else if (value.type == DataType::kInt32) {
    std::vector<int32_t> narrow;
    for (int64_t element : known) narrow.push_back(static_cast<int32_t>(element));
    value.constant = Tensor::Of<int32_t>(DataType::kInt32, *value.shape, narrow);
  }
  return value.constant != nullptr;
}

absl::Status Infer(Graph& graph, size_t evaluate_bytes);

// An input of a body, as far as it is the same each time the body runs.
struct BodyInput {
  size_t index = 0;            // among the body's inputs
  ValueId outside = kNoValue;  // what it is given
  bool whole = true;           // shape and contents too, not the type alone
};

// Infers a body from what its node is given.
absl::Status InferBody(const Graph& graph, const std::vector<BodyInput>& inputs,
                       size_t evaluate_bytes, std::shared_ptr<const Graph>& body) {
  Graph inner = *body;
  for (const BodyInput& given : inputs) {
    if (given.outside == kNoValue || given.index >= inner.inputs.size()) continue;
    const Value& source = graph.value(given.outside);
    Value& input = inner.value(inner.inputs[given.index]);
    input.type = source.quantization ? DataType::kFloat32 : source.type;
    if (!given.whole) continue;
    input.shape = source.shape;
    if (!source.quantization) input.constant = source.constant;
  }
  RETURN_IF_ERROR(Infer(inner, evaluate_bytes));
  body = std::make_shared<const Graph>(std::move(inner));
  return absl::OkStatus();
}

// Infers the graphs inside a node.
absl::Status InferBodies(const Graph& graph, Node& node, size_t evaluate_bytes) {
  std::vector<BodyInput> inputs;
  const auto captured = [&](size_t own, size_t first) {  // the body's inputs behind its own
    for (size_t i = first; i < node.inputs.size(); ++i)
      inputs.push_back({own + i - first, node.inputs[i], true});
  };
  if (auto* branches = node.as<If>()) {
    captured(0, 1);
    RETURN_IF_ERROR(InferBody(graph, inputs, evaluate_bytes, branches->then_branch));
    return InferBody(graph, inputs, evaluate_bytes, branches->else_branch);
  }
  if (auto* loop = node.as<Loop>()) {
    const auto own = static_cast<size_t>(loop->carried) + 2;
    for (size_t i = 2; i < own; ++i) inputs.push_back({i, node.inputs[i], false});
    captured(own, own);
    return InferBody(graph, inputs, evaluate_bytes, loop->body);
  }
  if (auto* scan = node.as<Scan>()) {
    const auto own = static_cast<size_t>(scan->states + scan->sequences);
    for (size_t i = 0; i < own; ++i) inputs.push_back({i, node.inputs[i], false});
    captured(own, own);
    return InferBody(graph, inputs, evaluate_bytes, scan->body);
  }
  return absl::OkStatus();
}

absl::Status Infer(Graph& graph, size_t evaluate_bytes) {
  for (ValueId id : graph.inputs) {
    const Value& input = graph.value(id);
    if (!input.shape) continue;
    if (absl::Status status = CheckShape(*input.shape, input.type); !status.ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat("input '", input.name, "': ", status.message()));
    }
  }
  KnownContents contents;
  std::set<const Node*> evaluated;
  for (Node& node : graph.nodes) {
    RETURN_IF_ERROR(InferBodies(graph, node, evaluate_bytes));
    if (BecomesConstant(graph, node, evaluate_bytes)) {
      evaluated.insert(&node);
      continue;
    }
    ASSIGN_OR_RETURN(std::vector<Inferred> outputs, InferNode(NodeView(graph, node, &contents)));
    for (size_t i = 0; i < node.outputs.size(); ++i) {
      if (node.outputs[i] == kNoValue) continue;
      Value& value = graph.value(node.outputs[i]);
      if (!value.quantization) value.type = outputs[i].type;
      value.shape = std::move(outputs[i].shape);
    }
    if (LearnContents(graph, node, contents)) evaluated.insert(&node);
  }
  if (!evaluated.empty()) {
    std::vector<Node> kept;
    for (Node& node : graph.nodes) {
      if (!evaluated.contains(&node)) kept.push_back(std::move(node));
    }
    graph.nodes = std::move(kept);
  }
  return absl::OkStatus();
}

absl::Status BindInput(Value& input, const Shape& shape) {
  if (!IsStatic(shape)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "input '", input.name, "': got ", ShapeText(shape), ", wanted every dimension known"));
  }
  if (input.shape && !Compatible(*input.shape, shape)) {
    return absl::InvalidArgumentError(absl::StrCat("input '", input.name, "': got shape ",
                                                   ShapeText(shape), ", wanted ",
                                                   ShapeText(*input.shape)));
  }
  input.shape = shape;
  return absl::OkStatus();
}

}  // namespace

bool InferLastNode(Graph& graph) {
  const Node& node = graph.nodes.back();
  absl::StatusOr<std::vector<Inferred>> outputs = InferNode(NodeView(graph, node, nullptr));
  if (!outputs.ok()) return false;
  for (size_t i = 0; i < node.outputs.size(); ++i) {
    if (node.outputs[i] == kNoValue) continue;
    Value& value = graph.value(node.outputs[i]);
    value.type = (*outputs)[i].type;
    value.shape = std::move((*outputs)[i].shape);
  }
  return true;
}

absl::Status InferShapes(Graph& graph) { return Infer(graph, kShapeArithmeticBytes); }

absl::StatusOr<Graph> BindInputShapes(const Graph& graph, const std::vector<Shape>& shapes) {
  return BindInputs(graph, shapes, std::vector<TensorPtr>(graph.inputs.size()));
}

absl::StatusOr<Graph> BindInputs(const Graph& graph, const std::vector<Shape>& shapes,
                                 const std::vector<TensorPtr>& contents) {
  if (shapes.size() != graph.inputs.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("got shapes of ", shapes.size(), " inputs, wanted ", graph.inputs.size()));
  }
  Graph bound = graph;
  for (size_t i = 0; i < shapes.size(); ++i) {
    Value& input = bound.value(bound.inputs[i]);
    RETURN_IF_ERROR(BindInput(input, shapes[i]));
    if (contents[i] != nullptr) input.constant = contents[i];
  }
  constexpr size_t kEvaluateBytes = size_t{64} << 20;
  do {
    RETURN_IF_ERROR(Infer(bound, kEvaluateBytes));
  } while (InlineBranches(bound));
  RemoveDeadNodes(bound);
  for (const Node& node : bound.nodes) {
    for (ValueId id : node.outputs) {
      if (id == kNoValue) continue;
      const Value& value = bound.value(id);
      if (value.shape && IsStatic(*value.shape)) continue;
      return absl::InvalidArgumentError(absl::StrCat(
          node.name, " (", OperationName(node.operation), "): the shape of '", value.name, "' is ",
          value.shape ? ShapeText(*value.shape) : "unknown", " although all inputs are known",
          ", wanted one that does not depend on the data"));
    }
  }
  return bound;
}

void RemoveDeadNodes(Graph& graph) {
  std::vector<bool> needed(graph.value_count(), false);
  for (ValueId id : graph.outputs) needed[static_cast<size_t>(id)] = true;
  std::vector<Node> kept;
  for (size_t i = graph.nodes.size(); i-- > 0;) {
    Node& node = graph.nodes[i];
    bool alive = false;
    for (ValueId id : node.outputs)
      alive = alive || (id != kNoValue && needed[static_cast<size_t>(id)]);
    if (!alive) continue;
    for (ValueId id : node.inputs) {
      if (id != kNoValue) needed[static_cast<size_t>(id)] = true;
    }
    kept.push_back(std::move(node));
  }
  graph.nodes.assign(std::make_move_iterator(kept.rbegin()), std::make_move_iterator(kept.rend()));
}

}  // namespace fourfold::graph
