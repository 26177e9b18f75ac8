#include "server/runtime/stages.h"

#include <algorithm>
#include <set>

#include "server/graph/contents.h"

namespace fourfold::runtime {
namespace {

using graph::Graph;
using graph::kNoValue;
using graph::Node;
using graph::ValueId;

// When what is known of a value. Stages count from 0.
struct Knowledge {
  int computed = 0;    // the stage before whose end it has been computed
  int shape = 0;       // the first stage at whose planning its shape is known
  int contents = 0;    // the first stage at whose planning its contents are known
  bool cheap = false;  // contents follow from shapes and small inputs, without running anything
};

// Reading shapes is planning, not running.
bool ReadsShapeOnly(const Node& node) {
  return node.as<graph::ShapeOf>() != nullptr || node.as<graph::SizeOf>() != nullptr;
}

// Operations whose results on known contents a plan folds.
bool Folds(const Node& node) {
  return node.as<graph::Conv>() == nullptr && node.as<graph::MatMul>() == nullptr &&
         node.as<graph::ConvTranspose>() == nullptr && node.as<graph::Recurrent>() == nullptr &&
         node.as<graph::Pool>() == nullptr && !graph::IsDynamic(node.operation);
}

class Splitter {
 public:
  explicit Splitter(const Graph& graph)
      : graph_(graph), known_(graph.value_count()), stage_of_(graph.nodes.size(), 0) {}

  std::vector<Stage> Run() {
    for (size_t i = 0; i < graph_.value_count(); ++i) {
      const graph::Value& value = graph_.value(static_cast<ValueId>(i));
      known_[i] = {-1, 0, 0, value.constant != nullptr};
    }
    for (ValueId id : graph_.inputs) Known(id).cheap = graph::MayDecideShapes(graph_.value(id));
    for (size_t i = 0; i < graph_.nodes.size(); ++i) Place(i);
    Collect();
    return std::move(stages_);
  }

 private:
  Knowledge& Known(ValueId id) { return known_[static_cast<size_t>(id)]; }

  // If it is decided by what is known when the plan is made, the plan has its nodes.
  bool RunsBetween(const Node& node) {
    if (node.as<graph::If>() != nullptr && Known(node.inputs[0]).cheap) return false;
    return graph::IsDynamic(node.operation);
  }

  void Place(size_t index) {
    const Node& node = graph_.nodes[index];
    int stage = 0;
    bool cheap = Folds(node) && !node.inputs.empty();
    int contents = 0;
    for (ValueId id : node.inputs) {
      if (id == kNoValue) continue;
      const Knowledge& input = Known(id);
      stage = std::max({stage, input.computed, input.shape});
      cheap = cheap && (input.cheap || ReadsShapeOnly(node));
      contents = std::max(contents, ReadsShapeOnly(node) ? input.shape : input.contents);
    }
    for (size_t position : graph::ContentInputs(node.operation)) {
      if (const ValueId id = node.input(position); id != kNoValue)
        stage = std::max(stage, Known(id).contents);
    }
    const bool between = RunsBetween(node);
    if (node.as<graph::If>() != nullptr && !between) {
      stage = std::max(stage, Known(node.inputs[0]).contents);
    }
    stage_of_[index] = stage;
    last_ = std::max(last_, stage);
    for (ValueId id : node.outputs) {
      if (id == kNoValue) continue;
      Knowledge& output = Known(id);
      output.computed = between ? stage + 1 : stage;
      output.shape = output.computed;
      output.cheap = cheap && !between;
      output.contents = output.cheap ? contents : stage + 1;
    }
  }

  void Collect() {
    stages_.resize(static_cast<size_t>(last_) + 1);
    std::vector<int> made_in(graph_.value_count(), -1);  // the plan of this stage makes it
    for (size_t i = 0; i < graph_.nodes.size(); ++i) {
      const Node& node = graph_.nodes[i];
      Stage& stage = stages_[static_cast<size_t>(stage_of_[i])];
      if (RunsBetween(node)) {
        stage.dynamic.push_back(node);
        continue;
      }
      stage.graph.nodes.push_back(node);
      for (ValueId id : node.outputs) {
        if (id != kNoValue) made_in[static_cast<size_t>(id)] = stage_of_[i];
      }
    }
    if (stages_.size() == 1 && stages_[0].dynamic.empty()) {
      stages_[0].graph = graph_;
    } else {
      for (size_t s = 0; s < stages_.size(); ++s) SetBoundary(static_cast<int>(s), made_in);
    }
    for (Stage& stage : stages_) FindContents(stage);
  }

  // Inputs and outputs of one stage's graph.
  void SetBoundary(int s, const std::vector<int>& made_in) {
    Stage& stage = stages_[static_cast<size_t>(s)];
    std::vector<Node> nodes = std::move(stage.graph.nodes);
    stage.graph = graph_;
    stage.graph.nodes = std::move(nodes);
    stage.graph.inputs.clear();
    stage.graph.outputs.clear();
    stage.graph.input_dim_names.clear();
    std::set<ValueId> inputs;
    for (const Node& node : stage.graph.nodes) {
      for (ValueId id : node.inputs) {
        if (id == kNoValue || graph_.value(id).constant != nullptr) continue;
        if (made_in[static_cast<size_t>(id)] != s) inputs.insert(id);
      }
    }
    stage.graph.inputs.assign(inputs.begin(), inputs.end());
    std::set<ValueId> needed(graph_.outputs.begin(), graph_.outputs.end());
    for (size_t other = 0; other < stages_.size(); ++other) {
      for (const Node& node : stages_[other].dynamic)
        needed.insert(node.inputs.begin(), node.inputs.end());
      if (other == static_cast<size_t>(s)) continue;
      for (const Node& node : stages_[other].graph.nodes)
        needed.insert(node.inputs.begin(), node.inputs.end());
    }
    for (ValueId id : needed) {
      if (id != kNoValue && made_in[static_cast<size_t>(id)] == s)
        stage.graph.outputs.push_back(id);
    }
  }

  // Follows what has to be known back to the inputs of the stage.
  void FindContents(Stage& stage) {
    std::vector<const Node*> producer(graph_.value_count(), nullptr);
    std::vector<ValueId> wanted;
    for (const Node& node : stage.graph.nodes) {
      for (ValueId id : node.outputs) {
        if (id != kNoValue) producer[static_cast<size_t>(id)] = &node;
      }
      for (size_t position : graph::ContentInputs(node.operation))
        wanted.push_back(node.input(position));
      if (node.as<graph::If>() != nullptr) wanted.push_back(node.inputs[0]);
    }
    std::set<ValueId> seen;
    while (!wanted.empty()) {
      const ValueId id = wanted.back();
      wanted.pop_back();
      if (id == kNoValue || !seen.insert(id).second) continue;
      const Node* from = producer[static_cast<size_t>(id)];
      if (from == nullptr || ReadsShapeOnly(*from)) continue;
      wanted.insert(wanted.end(), from->inputs.begin(), from->inputs.end());
    }
    for (ValueId id : stage.graph.inputs) stage.wants_contents.push_back(seen.contains(id));
  }

  const Graph& graph_;
  std::vector<Knowledge> known_;
  std::vector<int> stage_of_;  // by node
  int last_ = 0;
  std::vector<Stage> stages_;
};

}  // namespace

std::vector<Stage> SplitStages(const Graph& graph) { return Splitter(graph).Run(); }

}  // namespace fourfold::runtime
