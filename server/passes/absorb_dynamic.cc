#include <algorithm>
#include <map>

#include "server/passes/absorb_quantization.h"
#include "server/passes/rewrite.h"

namespace fourfold::passes {

using graph::DynamicQuantize;
using graph::Graph;
using graph::kNoValue;
using graph::Node;
using graph::Quantization;
using graph::Uses;
using graph::Value;
using graph::ValueId;

namespace {

constexpr size_t kParameters = 4;  // of x; those of a second operand follow

// One DynamicQuantize per value, however many consumers it was written for.
void MergeEqualQuantizes(Graph& graph) {
  const Uses uses(graph);
  std::map<ValueId, size_t> first;
  std::vector<ValueId> to(graph.value_count(), kNoValue);
  std::vector<bool> erased(graph.nodes.size(), false);
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const Node& node = graph.nodes[i];
    const auto* dynamic = node.as<DynamicQuantize>();
    if (dynamic == nullptr || dynamic->per_sample || node.outputs.size() != 3) continue;
    if (std::any_of(node.outputs.begin(), node.outputs.end(),
                    [&](ValueId id) { return id == kNoValue || uses.is_output(id); })) {
      continue;
    }
    const auto [it, added] = first.try_emplace(node.inputs[0], i);
    if (added) continue;
    for (size_t k = 0; k < 3; ++k)
      to[static_cast<size_t>(node.outputs[k])] = graph.nodes[it->second].outputs[k];
    erased[i] = true;
  }
  ReplaceUses(graph, to);
  EraseNodes(graph, erased);
}

// 8-bit weights, per tensor or per output channel.
bool HasIntegerWeights(const Graph& graph, const Node& node) {
  if (node.input(1) == kNoValue) return false;
  const Value& weights = graph.value(node.inputs[1]);
  if (weights.constant == nullptr || !weights.quantization) return false;
  const Quantization& how = *weights.quantization;
  if (node.as<graph::Conv>() != nullptr) return how.per_tensor() || how.axis == 0;
  const auto* matmul = node.as<graph::MatMul>();
  if (matmul == nullptr || matmul->transpose_lhs || weights.constant->shape().size() != 2)
    return false;
  return how.per_tensor() || how.axis == (matmul->transpose_rhs ? 0 : 1);
}

// A MatMul of two computed operands, which takes both as integers or none.
bool IsProductOfValues(const Graph& graph, const Node& node) {
  if (node.as<graph::MatMul>() == nullptr || node.inputs.size() != 2) return false;
  for (ValueId id : node.inputs) {
    const Value& operand = graph.value(id);
    if (operand.constant != nullptr || !operand.shape || operand.shape->size() < 3) return false;
  }
  return graph.value(node.inputs[0]).shape->size() == graph.value(node.inputs[1]).shape->size();
}

// Whether the node can take its data as integers with parameters that come with each call.
bool TakesDynamic(const Graph& graph, const Node& node, ValueId real) {
  if (IsProductOfValues(graph, node)) return true;
  if (std::count(node.inputs.begin(), node.inputs.end(), real) != 1 || node.inputs[0] != real)
    return false;
  if (node.input(kParameters) != kNoValue || !HasIntegerWeights(graph, node)) return false;
  const auto& shape = graph.value(real).shape;
  return shape && shape->size() >= 2;  // the first dimension counts samples
}

// The Dequantize nodes that read the outputs of `node`; nothing if anything else does, or if a
// reader of theirs needs the real numbers.
std::optional<std::vector<size_t>> AbsorbableReaders(const Graph& graph, const Uses& uses,
                                                     const Node& node) {
  if (node.outputs.size() != 3) return std::nullopt;
  std::vector<size_t> readers;
  for (ValueId id : node.outputs) {
    if (id == kNoValue || uses.is_output(id)) return std::nullopt;
    for (int consumer : uses.consumers(id)) {
      const Node& reader = graph.nodes[static_cast<size_t>(consumer)];
      if (reader.as<graph::Dequantize>() == nullptr || reader.inputs != node.outputs)
        return std::nullopt;
      if (id == node.outputs[0]) readers.push_back(static_cast<size_t>(consumer));
    }
  }
  for (size_t index : readers) {
    const ValueId real = graph.nodes[index].outputs[0];
    if (uses.is_output(real)) return std::nullopt;
    for (int consumer : uses.consumers(real)) {
      if (!TakesDynamic(graph, graph.nodes[static_cast<size_t>(consumer)], real))
        return std::nullopt;
    }
  }
  return readers;
}

// The Dequantize nodes behind each DynamicQuantize, by its index.
using Readers = std::map<size_t, std::vector<size_t>>;

// Takes those away whose product with another value would have only one operand of integers.
void DropHalfProducts(const Graph& graph, const Uses& uses, Readers& readers) {
  bool changed = true;
  while (changed) {
    changed = false;
    std::vector<bool> integer(graph.value_count(), false);
    for (const auto& [i, dequantizes] : readers) {
      for (size_t reader : dequantizes)
        integer[static_cast<size_t>(graph.nodes[reader].outputs[0])] = true;
    }
    const auto serves_half = [&](size_t reader) {
      for (int consumer : uses.consumers(graph.nodes[reader].outputs[0])) {
        const Node& node = graph.nodes[static_cast<size_t>(consumer)];
        if (!IsProductOfValues(graph, node)) continue;
        for (ValueId id : node.inputs) {
          if (!integer[static_cast<size_t>(id)]) return true;
        }
      }
      return false;
    };
    changed = std::erase_if(readers, [&](const auto& entry) {
                return std::any_of(entry.second.begin(), entry.second.end(), serves_half);
              }) > 0;
  }
}

// The node reads the integers and their parameters instead of the real numbers.
void Connect(Node& node, ValueId real, ValueId integers, ValueId params) {
  for (size_t k : {0, 1}) {
    if (node.inputs[k] != real) continue;
    node.inputs.resize(std::max(node.inputs.size(), kParameters + k + 1), kNoValue);
    node.inputs[k] = integers;
    node.inputs[kParameters + k] = params;
  }
}

}  // namespace

absl::Status AbsorbDynamic(Graph& graph) {
  MergeEqualQuantizes(graph);
  const Uses uses(graph);
  Readers readers;
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const auto* dynamic = graph.nodes[i].as<DynamicQuantize>();
    if (dynamic == nullptr || dynamic->per_sample) continue;
    auto found = AbsorbableReaders(graph, uses, graph.nodes[i]);
    if (found && !found->empty()) readers[i] = *std::move(found);
  }
  DropHalfProducts(graph, uses, readers);
  std::vector<bool> erased(graph.nodes.size(), false);
  for (const auto& [i, dequantizes] : readers) {
    const ValueId integers = graph.nodes[i].outputs[0];
    Value parameters;
    parameters.name = graph.UniqueValueName(graph.value(integers).name + "_params");
    parameters.type = graph::kDynamicParametersType;
    if (const auto& shape = graph.value(integers).shape)
      parameters.shape = graph::Shape{shape->front()};
    const ValueId params = graph.AddValue(std::move(parameters));
    for (size_t reader : dequantizes) {
      const ValueId real = graph.nodes[reader].outputs[0];
      for (int consumer : uses.consumers(real))
        Connect(graph.nodes[static_cast<size_t>(consumer)], real, integers, params);
      erased[reader] = true;
    }
    graph.nodes[i].operation = DynamicQuantize{.per_sample = true};
    graph.nodes[i].outputs = {integers, params};
  }
  EraseNodes(graph, erased);
  return absl::OkStatus();
}

}  // namespace fourfold::passes
