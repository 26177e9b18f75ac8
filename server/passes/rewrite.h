#pragma once

#include <set>
#include <string>
#include <vector>

#include "server/graph/graph.h"

namespace fourfold::passes {

// What the passes of this folder share; internal.

// Nodes read to[id] instead of id wherever it is not kNoValue, followed to its end. Graph outputs
// stay.
void ReplaceUses(graph::Graph& graph, const std::vector<graph::ValueId>& to);

// Removes the nodes marked by index.
void EraseNodes(graph::Graph& graph, const std::vector<bool>& erased);

// The float32 constant behind an input, null if it is something else (integers that stand for real
// numbers included).
const graph::Tensor* PlainConstant(const graph::Graph& graph, const graph::Node& node, size_t i);

// The activation that the node applies to its result; null for operations that have none.
kernels::Activation* FusedActivation(graph::Node& node);

inline bool HasActivation(const kernels::Activation& activation) {
  return activation.kind != kernels::Activation::Kind::kNone;
}

// Names for what a pass adds, gathered once: Graph::Unique*Name looks at all names for each.
class NewNames {
 public:
  explicit NewNames(const graph::Graph& graph);
  std::string Value(const std::string& base) { return Unique(values_, base); }
  std::string Node(const std::string& base) { return Unique(nodes_, base); }

 private:
  static std::string Unique(std::set<std::string>& taken, const std::string& base);

  std::set<std::string> values_;
  std::set<std::string> nodes_;
};

// Producers and single uses while nodes are merged: node indices stay until the pass erases at its
// end.
class Fusion {
 public:
  explicit Fusion(graph::Graph& graph);

  // The node that computes `id` now; null for inputs, constants and values made after construction.
  graph::Node* Producer(graph::ValueId id);
  // Whether only one node reads the value and it means float32 as it is: it may vanish.
  bool MayVanish(graph::ValueId id) const;
  // The nodes at index `from` and of `producer` become one, in the place of the producer: it writes
  // what `from` wrote.
  void MergeInto(graph::Node& producer, size_t from);
  // The same in the place of index `from`.
  void MergeAt(graph::Node& producer, size_t from);
  void Finish() { EraseNodes(graph_, erased_); }

  bool erased(size_t index) const { return erased_[index]; }

 private:
  graph::Graph& graph_;
  graph::Uses uses_;
  std::vector<int> producer_;
  std::vector<bool> erased_;
};

}  // namespace fourfold::passes
