#include <map>

#include "absl/strings/str_cat.h"
#include "server/base/status_macros.h"
#include "server/passes/absorb_quantization.h"
#include "server/passes/rewrite.h"

namespace fourfold::passes {

using graph::DataType;
using graph::Dequantize;
using graph::Graph;
using graph::kNoValue;
using graph::Node;
using graph::Quantization;
using graph::Quantize;
using graph::Uses;
using graph::Value;
using graph::ValueId;

namespace {

// The parameters of an imported per-tensor Quantize or Dequantize to or from 8 bits.
absl::StatusOr<std::optional<Quantization>> PerTensor(const Graph& graph, const Node& node,
                                                      DataType stored) {
  if (node.inputs.size() < 2 || (stored != DataType::kInt8 && stored != DataType::kUint8))
    return std::nullopt;
  ASSIGN_OR_RETURN(std::optional<Quantization> how, ConstantQuantization(graph, node));
  if (!how || !how->per_tensor()) return std::nullopt;
  if (how->scale[0] > 0.0f) return how;
  return absl::InvalidArgumentError(absl::StrCat(
      node.name, " (", graph::OperationName(node.operation), "): got scale 0, wanted one above 0"));
}

// Several Quantize of one value with the same parameters become the first of them.
absl::Status MergeEqualQuantizes(Graph& graph) {
  const Uses uses(graph);
  std::map<std::tuple<ValueId, float, int32_t, DataType>, ValueId> first;
  std::vector<ValueId> to(graph.value_count(), kNoValue);
  std::vector<bool> erased(graph.nodes.size(), false);
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const Node& node = graph.nodes[i];
    if (node.as<Quantize>() == nullptr || uses.is_output(node.outputs[0])) continue;
    const DataType type = graph.value(node.outputs[0]).type;
    ASSIGN_OR_RETURN(const std::optional<Quantization> how, PerTensor(graph, node, type));
    if (!how) continue;
    const auto [it, added] = first.try_emplace(
        {node.inputs[0], how->scale[0], how->zero_point[0], type}, node.outputs[0]);
    if (added) continue;
    to[static_cast<size_t>(node.outputs[0])] = it->second;
    erased[i] = true;
  }
  ReplaceUses(graph, to);
  EraseNodes(graph, erased);
  return absl::OkStatus();
}

// Whether every reader of the integers turns them into real numbers just so.
absl::StatusOr<bool> OnlyDequantized(const Graph& graph, const Uses& uses, ValueId integers,
                                     const Quantization& how) {
  for (int consumer : uses.consumers(integers)) {
    const Node& reader = graph.nodes[static_cast<size_t>(consumer)];
    if (reader.as<Dequantize>() == nullptr || reader.inputs[0] != integers) return false;
    ASSIGN_OR_RETURN(const std::optional<Quantization> read,
                     PerTensor(graph, reader, graph.value(integers).type));
    if (read != how) return false;
  }
  return true;
}

class Absorption {
 public:
  explicit Absorption(Graph& graph)
      : graph_(graph),
        uses_(graph),
        to_(graph.value_count(), kNoValue),
        erased_(graph.nodes.size(), false) {}

  absl::Status AbsorbQuantize(size_t index) {
    Node& node = graph_.nodes[index];
    const ValueId x = node.inputs[0], integers = node.outputs[0];
    ASSIGN_OR_RETURN(const std::optional<Quantization> how,
                     PerTensor(graph_, node, graph_.value(integers).type));
    if (!how) return absl::OkStatus();
    ASSIGN_OR_RETURN(const bool absorbable, OnlyDequantized(graph_, uses_, integers, *how));
    if (!absorbable) return absl::OkStatus();
    ValueId stored = integers;
    if (!uses_.is_output(integers) && MayStoreIntegers(x)) {
      stored = x;
      graph_.value(x).type = graph_.value(integers).type;
      erased_[index] = true;
    } else {
      node.inputs = {x};
    }
    graph_.value(stored).quantization = how;
    for (int consumer : uses_.consumers(integers))
      DropDequantize(static_cast<size_t>(consumer), stored);
    return absl::OkStatus();
  }

  // A caller that feeds integers.
  absl::Status AbsorbInput(ValueId input) {
    if (uses_.consumers(input).empty() || uses_.is_output(input)) return absl::OkStatus();
    const Node& reader = graph_.nodes[static_cast<size_t>(uses_.consumers(input).front())];
    if (reader.as<Dequantize>() == nullptr) return absl::OkStatus();
    ASSIGN_OR_RETURN(const std::optional<Quantization> how,
                     PerTensor(graph_, reader, graph_.value(input).type));
    if (!how) return absl::OkStatus();
    ASSIGN_OR_RETURN(const bool absorbable, OnlyDequantized(graph_, uses_, input, *how));
    if (!absorbable) return absl::OkStatus();
    graph_.value(input).quantization = how;
    for (int consumer : uses_.consumers(input))
      DropDequantize(static_cast<size_t>(consumer), input);
    return absl::OkStatus();
  }

  void Finish() {
    ReplaceUses(graph_, to_);
    EraseNodes(graph_, erased_);
  }

 private:
  // Whether the node that computes `x` may write integers instead: nobody needs the real numbers.
  bool MayStoreIntegers(ValueId x) const {
    const Value& value = graph_.value(x);
    const int producer = uses_.producer(x);
    if (producer < 0 || !uses_.has_single_use(x) || value.quantization ||
        value.type != DataType::kFloat32)
      return false;
    return MayWriteIntegers(graph_.nodes[static_cast<size_t>(producer)]);
  }

  void DropDequantize(size_t index, ValueId stored) {
    Node& node = graph_.nodes[index];
    const ValueId real = node.outputs[0];
    to_[static_cast<size_t>(real)] = stored;
    if (uses_.is_output(real)) {
      node.inputs = {stored};  // the caller reads real numbers
    } else {
      erased_[index] = true;
    }
  }

  Graph& graph_;
  const Uses uses_;
  std::vector<ValueId> to_;
  std::vector<bool> erased_;
};

}  // namespace

bool MayWriteIntegers(const Node& node) {
  return node.as<Quantize>() == nullptr && node.as<Dequantize>() == nullptr &&
         node.as<graph::Cast>() == nullptr && node.as<graph::DynamicQuantize>() == nullptr &&
         node.as<graph::ConstantOfShape>() == nullptr;
}

absl::Status AbsorbActivations(Graph& graph) {
  RETURN_IF_ERROR(MergeEqualQuantizes(graph));
  Absorption absorption(graph);
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    if (graph.nodes[i].as<Quantize>() != nullptr) RETURN_IF_ERROR(absorption.AbsorbQuantize(i));
  }
  for (ValueId input : graph.inputs) RETURN_IF_ERROR(absorption.AbsorbInput(input));
  absorption.Finish();
  return absl::OkStatus();
}

}  // namespace fourfold::passes
