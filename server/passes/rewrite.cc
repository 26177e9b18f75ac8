#include "server/passes/rewrite.h"

#include <utility>

namespace fourfold::passes {

using graph::Graph;
using graph::kNoValue;
using graph::Node;
using graph::ValueId;

void ReplaceUses(Graph& graph, const std::vector<ValueId>& to) {
  for (Node& node : graph.nodes) {
    for (ValueId& id : node.inputs) {
      while (id != kNoValue && static_cast<size_t>(id) < to.size() &&
             to[static_cast<size_t>(id)] != kNoValue) {
        id = to[static_cast<size_t>(id)];
      }
    }
  }
}

void EraseNodes(Graph& graph, const std::vector<bool>& erased) {
  std::vector<Node> kept;
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    if (i >= erased.size() || !erased[i]) kept.push_back(std::move(graph.nodes[i]));
  }
  graph.nodes = std::move(kept);
}

const graph::Tensor* PlainConstant(const Graph& graph, const Node& node, size_t i) {
  const ValueId id = node.input(i);
  if (id == kNoValue || graph.value(id).quantization ||
      graph.value(id).type != graph::DataType::kFloat32) {
    return nullptr;
  }
  return graph.value(id).constant.get();
}

kernels::Activation* FusedActivation(Node& node) {
  if (auto* conv = node.as<graph::Conv>()) return &conv->activation;
  if (auto* matmul = node.as<graph::MatMul>()) return &matmul->activation;
  if (auto* binary = node.as<graph::Binary>()) return &binary->activation;
  return nullptr;
}

NewNames::NewNames(const Graph& graph) {
  for (size_t i = 0; i < graph.value_count(); ++i)
    values_.insert(graph.value(static_cast<ValueId>(i)).name);
  for (const graph::Node& node : graph.nodes) nodes_.insert(node.name);
}

std::string NewNames::Unique(std::set<std::string>& taken, const std::string& base) {
  std::string name = base;
  for (int i = 1; !taken.insert(name).second; ++i) name = base + "_" + std::to_string(i);
  return name;
}

Fusion::Fusion(Graph& graph)
    : graph_(graph),
      uses_(graph),
      producer_(graph.value_count()),
      erased_(graph.nodes.size(), false) {
  for (size_t i = 0; i < producer_.size(); ++i)
    producer_[i] = uses_.producer(static_cast<ValueId>(i));
}

Node* Fusion::Producer(ValueId id) {
  if (id == kNoValue || static_cast<size_t>(id) >= producer_.size()) return nullptr;
  const int index = producer_[static_cast<size_t>(id)];
  return index < 0 ? nullptr : &graph_.nodes[static_cast<size_t>(index)];
}

bool Fusion::MayVanish(ValueId id) const {
  if (static_cast<size_t>(id) >= producer_.size()) return false;
  const graph::Value& value = graph_.value(id);
  return uses_.has_single_use(id) && !value.quantization && value.type == graph::DataType::kFloat32;
}

void Fusion::MergeInto(Node& producer, size_t from) {
  const ValueId result = graph_.nodes[from].outputs[0];
  producer.outputs[0] = result;
  producer_[static_cast<size_t>(result)] = static_cast<int>(&producer - graph_.nodes.data());
  erased_[from] = true;
}

void Fusion::MergeAt(Node& producer, size_t from) {
  Node& target = graph_.nodes[from];
  const ValueId result = target.outputs[0];
  target = producer;
  target.outputs[0] = result;
  producer_[static_cast<size_t>(result)] = static_cast<int>(from);
  erased_[static_cast<size_t>(&producer - graph_.nodes.data())] = true;
}

}  // namespace fourfold::passes
