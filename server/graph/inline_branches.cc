#include "server/graph/inline_branches.h"

#include <iterator>
#include <set>

namespace fourfold::graph {

namespace {

// Names of nodes handed out once; those of a branch may be taken outside.
class NodeNames {
 public:
  explicit NodeNames(const Graph& graph) {
    for (const Node& node : graph.nodes) taken_.insert(node.name);
  }

  std::string Unique(const std::string& base) {
    std::string name = base;
    for (int i = 1; !taken_.insert(name).second; ++i) name = base + "_" + std::to_string(i);
    return name;
  }

 private:
  std::set<std::string> taken_;
};

// The nodes of `body` with its inputs bound to `inputs` and its outputs to `outputs`, in terms of
// values of `graph`, which gains those that are inside.
std::vector<Node> Instantiate(Graph& graph, const Graph& body, const std::vector<ValueId>& inputs,
                              const std::vector<ValueId>& outputs, const std::string& prefix,
                              NodeNames& names) {
  std::vector<ValueId> ids(body.value_count(), kNoValue);
  for (size_t i = 0; i < body.inputs.size(); ++i)
    ids[static_cast<size_t>(body.inputs[i])] = inputs[i];
  const auto translate = [&](ValueId id) {
    if (id == kNoValue) return kNoValue;
    ValueId& known = ids[static_cast<size_t>(id)];
    if (known == kNoValue) known = graph.AddValue(body.value(id));
    return known;
  };
  std::vector<Node> nodes;
  for (const Node& node : body.nodes) {
    Node copy = node;
    copy.name = names.Unique(prefix + "/" + node.name);
    for (ValueId& id : copy.inputs) id = translate(id);
    for (ValueId& id : copy.outputs) id = translate(id);
    nodes.push_back(std::move(copy));
  }
  // An output may be any value, an input of the branch too: it gets its outer name by an Identity.
  for (size_t i = 0; i < outputs.size(); ++i) {
    if (outputs[i] == kNoValue) continue;
    nodes.push_back(
        {names.Unique(prefix + "/output"), Identity{}, {translate(body.outputs[i])}, {outputs[i]}});
  }
  return nodes;
}

bool InlineOnce(Graph& graph) {
  bool found = false;
  NodeNames names(graph);
  std::vector<Node> nodes;
  for (Node& node : graph.nodes) {
    const auto* branches = node.as<If>();
    const Tensor* condition = branches == nullptr ? nullptr : graph.ConstantInput(node, 0);
    if (condition == nullptr || condition->count() != 1) {
      nodes.push_back(std::move(node));
      continue;
    }
    found = true;
    const std::shared_ptr<const Graph> body =
        condition->ToInt64()[0] != 0 ? branches->then_branch : branches->else_branch;
    const std::vector<ValueId> captured(node.inputs.begin() + 1, node.inputs.end());
    std::vector<Node> inside = Instantiate(graph, *body, captured, node.outputs, node.name, names);
    nodes.insert(nodes.end(), std::make_move_iterator(inside.begin()),
                 std::make_move_iterator(inside.end()));
  }
  graph.nodes = std::move(nodes);
  return found;
}

}  // namespace

bool InlineBranches(Graph& graph) {
  bool found = false;
  while (InlineOnce(graph)) found = true;
  return found;
}

}  // namespace fourfold::graph
