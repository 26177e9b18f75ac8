#include "server/passes/absorb_quantization.h"
#include "server/passes/rewrite.h"

namespace fourfold::passes {

using graph::Graph;
using graph::kNoValue;
using graph::Node;
using graph::Uses;
using graph::Value;
using graph::ValueId;

namespace {

bool IsZeroPad(const Graph& graph, const Node& node, const graph::Pad& pad) {
  if (pad.mode != graph::Pad::Mode::kConstant || node.input(2) == kNoValue) return true;
  const graph::Tensor* value = PlainConstant(graph, node, 2);
  return value != nullptr && value->count() == 1 && value->as<float>()[0] == 0.0f;
}

// Operations whose result holds nothing but elements of their data inputs (and zeros): integers
// that stand for real numbers can be moved as they are. The maximum is among them since
// quantization keeps the order of numbers.
bool OnlyMoves(const Graph& graph, const Node& node) {
  if (const auto* pool = node.as<graph::Pool>()) return pool->kind == graph::Pool::Kind::kMax;
  if (const auto* pad = node.as<graph::Pad>()) return IsZeroPad(graph, node, *pad);
  if (const auto* resize = node.as<graph::Resize>())
    return resize->mode == graph::Resize::Mode::kNearest;
  return node.as<graph::Transpose>() || node.as<graph::Reshape>() || node.as<graph::Flatten>() ||
         node.as<graph::Squeeze>() || node.as<graph::Unsqueeze>() || node.as<graph::Slice>() ||
         node.as<graph::Gather>() || node.as<graph::Expand>() || node.as<graph::Identity>() ||
         node.as<graph::Concat>();
}

size_t DataInputs(const Node& node) { return node.as<graph::Concat>() ? node.inputs.size() : 1; }

bool IsPlainFloat(const Value& value) {
  return value.constant == nullptr && !value.quantization &&
         value.type == graph::DataType::kFloat32;
}

bool IsIntegerActivation(const Value& value) {
  return value.constant == nullptr && value.quantization && value.quantization->per_tensor();
}

void CopyQuantization(const Value& from, Value& to) {
  to.type = from.type;
  to.quantization = from.quantization;
}

}  // namespace

absl::Status SpreadQuantization(Graph& graph) {
  const Uses uses(graph);
  // With the data: what is made of integers is integers.
  for (const Node& node : graph.nodes) {
    if (!OnlyMoves(graph, node)) continue;
    const ValueId out = node.outputs[0];
    if (!IsPlainFloat(graph.value(out)) || uses.is_output(out)) continue;
    const Value& first = graph.value(node.inputs[0]);
    bool equal = IsIntegerActivation(first);
    for (size_t i = 1; i < DataInputs(node); ++i) {
      const Value& other = graph.value(node.inputs[i]);
      equal = equal && IsIntegerActivation(other) && other.type == first.type &&
              other.quantization == first.quantization;
    }
    if (equal) CopyQuantization(first, graph.value(out));
  }
  // Against it: what is only moved before it is quantized can be quantized first.
  for (size_t i = graph.nodes.size(); i-- > 0;) {
    const Node& node = graph.nodes[i];
    if (!OnlyMoves(graph, node) || !IsIntegerActivation(graph.value(node.outputs[0]))) continue;
    for (size_t k = 0; k < DataInputs(node); ++k) {
      const ValueId in = node.inputs[k];
      const int producer = in == kNoValue ? -1 : uses.producer(in);
      if (producer < 0 || !uses.has_single_use(in) || !IsPlainFloat(graph.value(in))) continue;
      const Node& before = graph.nodes[static_cast<size_t>(producer)];
      if (MayWriteIntegers(before)) CopyQuantization(graph.value(node.outputs[0]), graph.value(in));
    }
  }
  return absl::OkStatus();
}

}  // namespace fourfold::passes
