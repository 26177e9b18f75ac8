#include "server/graph/evaluate.h"
#include "server/graph/evaluate_numbers.h"
#include "server/passes/passes.h"
#include "server/passes/rewrite.h"

namespace fourfold::passes {

using graph::Graph;
using graph::Node;
using graph::TensorPtr;
using graph::Value;

namespace {

// The transpose of integers that stand for real numbers: scales move with their axis.
bool FoldQuantizedTranspose(Graph& graph, const Node& node) {
  const auto* transpose = node.as<graph::Transpose>();
  if (transpose == nullptr) return false;
  const Value& x = graph.value(node.inputs[0]);
  Value& y = graph.value(node.outputs[0]);
  if (x.constant == nullptr || !x.quantization || y.quantization) return false;
  const size_t rank = x.constant->shape().size();
  std::vector<int64_t> permutation = transpose->permutation;
  if (permutation.empty()) {
    for (size_t i = rank; i-- > 0;) permutation.push_back(static_cast<int64_t>(i));
  }
  if (permutation.size() != rank) return false;
  const std::vector<int64_t> strides =
      kernels::Strides(x.constant->shape(), kernels::Layout::kRowMajor);
  graph::Shape shape;
  std::vector<int64_t> permuted;
  graph::Quantization quantization = *x.quantization;
  for (size_t i = 0; i < rank; ++i) {
    const int64_t axis = permutation[i];
    if (axis < 0 || axis >= static_cast<int64_t>(rank)) return false;
    shape.push_back(x.constant->shape()[static_cast<size_t>(axis)]);
    permuted.push_back(strides[static_cast<size_t>(axis)]);
    if (x.quantization->axis == axis) quantization.axis = static_cast<int>(i);
  }
  y.constant = graph::GatherStrided(*x.constant, shape, permuted, 0);
  y.type = x.type;
  y.shape = shape;
  y.quantization = std::move(quantization);
  return true;
}

bool Fold(Graph& graph, const Node& node, bool is_output) {
  if (graph::UnpacksStoredConstant(graph, node)) return false;
  if (!is_output && FoldQuantizedTranspose(graph, node)) return true;
  std::optional<std::vector<TensorPtr>> results = graph::EvaluateConstant(graph, node);
  if (!results) return false;
  for (size_t i = 0; i < node.outputs.size(); ++i) {
    if (node.outputs[i] == graph::kNoValue) continue;
    Value& value = graph.value(node.outputs[i]);
    value.type = (*results)[i]->type();
    value.shape = (*results)[i]->shape();
    value.constant = std::move((*results)[i]);
  }
  return true;
}

}  // namespace

absl::Status FoldConstants(Graph& graph) {
  const graph::Uses uses(graph);
  std::vector<bool> erased(graph.nodes.size(), false);
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const Node& node = graph.nodes[i];
    const bool is_output = !node.outputs.empty() && uses.is_output(node.outputs[0]);
    erased[i] = Fold(graph, node, is_output);
  }
  EraseNodes(graph, erased);
  return absl::OkStatus();
}

}  // namespace fourfold::passes
