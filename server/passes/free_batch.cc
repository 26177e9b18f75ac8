#include "absl/strings/str_cat.h"
#include "server/base/status_macros.h"
#include "server/graph/infer_shapes.h"
#include "server/passes/passes.h"

namespace fourfold::passes {

using graph::Graph;
using graph::kUnknownDim;
using graph::Node;
using graph::Shape;

namespace {

bool Varies(const std::optional<Shape>& shape) {
  return shape && !shape->empty() && shape->front() == kUnknownDim;
}

// A Reshape of a batch of unknown size to a constant shape that begins with 1 keeps that 1 for one
// sample: made to copy the dimension instead. The first one in the graph's order; false if there is
// none.
bool FreeOneReshape(Graph& graph) {
  for (Node& node : graph.nodes) {
    auto* reshape = node.as<graph::Reshape>();
    if (reshape == nullptr || reshape->allow_zero) continue;
    const graph::Tensor* wanted = graph.ConstantInput(node, 1);
    if (wanted == nullptr || !Varies(graph.value(node.inputs[0]).shape)) continue;
    std::vector<int64_t> dims = wanted->ToInt64();
    if (dims.empty() || dims.front() != 1) continue;
    dims.front() = 0;
    const std::string name = graph.UniqueValueName(graph.value(node.inputs[1]).name);
    const auto rank = static_cast<int64_t>(dims.size());
    node.inputs[1] =
        graph.AddConstant(name, graph::Tensor::Of(graph::DataType::kInt64, {rank}, dims));
    return true;
  }
  return false;
}

}  // namespace

absl::StatusOr<Graph> FreeBatch(const Graph& graph) {
  Graph freed = graph;
  freed.input_dim_names.resize(freed.inputs.size());
  for (size_t i = 0; i < freed.inputs.size(); ++i) {
    graph::Value& input = freed.value(freed.inputs[i]);
    if (!input.shape || input.shape->empty() || input.shape->front() != 1) {
      return absl::FailedPreconditionError(
          absl::StrCat("input '", input.name, "' ",
                       input.shape ? graph::ShapeText(*input.shape) : "of unknown rank",
                       " has no first dimension of 1"));
    }
    input.shape->front() = kUnknownDim;
    freed.input_dim_names[i].resize(input.shape->size());
    freed.input_dim_names[i].front().assign(1, 'N');
  }
  do {
    RETURN_IF_ERROR(graph::InferShapes(freed));
  } while (FreeOneReshape(freed));
  for (graph::ValueId id : freed.outputs) {
    const graph::Value& output = freed.value(id);
    if (Varies(output.shape)) continue;
    return absl::FailedPreconditionError(
        absl::StrCat("output '", output.name, "' ",
                     output.shape ? graph::ShapeText(*output.shape) : "of unknown rank",
                     " does not follow the first dimension of the inputs"));
  }
  return freed;
}

}  // namespace fourfold::passes
