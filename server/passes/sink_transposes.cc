#include <algorithm>
#include <map>
#include <numeric>

#include "server/graph/evaluate_numbers.h"
#include "server/graph/names.h"
#include "server/graph/shapes.h"
#include "server/passes/passes.h"
#include "server/passes/rewrite.h"

namespace fourfold::passes {

using graph::DataType;
using graph::Graph;
using graph::kNoValue;
using graph::Node;
using graph::Tensor;
using graph::TensorPtr;
using graph::Value;
using graph::ValueId;

namespace {

using Permutation =
    std::vector<int64_t>;  // dimension d of the result is permutation[d] of the source

// A value that is the transpose of another.
struct Transposed {
  ValueId source = kNoValue;
  Permutation permutation;
};

bool IsInOrder(const Permutation& permutation) {
  for (size_t i = 0; i < permutation.size(); ++i) {
    if (permutation[i] != static_cast<int64_t>(i)) return false;
  }
  return true;
}

Permutation Inverse(const Permutation& permutation) {
  Permutation inverse(permutation.size());
  for (size_t i = 0; i < permutation.size(); ++i)
    inverse[static_cast<size_t>(permutation[i])] = static_cast<int64_t>(i);
  return inverse;
}

// The permutation spelt out; nothing if it is none of the rank of x, or that is not known.
std::optional<Permutation> Spelt(const graph::Transpose& transpose, const Value& x) {
  if (!x.shape) return std::nullopt;
  Permutation permutation = transpose.permutation;
  if (permutation.empty()) {
    permutation.resize(x.shape->size());
    std::iota(permutation.rbegin(), permutation.rend(), 0);
  }
  Permutation sorted = permutation;
  std::sort(sorted.begin(), sorted.end());
  if (sorted.size() != x.shape->size() || !IsInOrder(sorted)) return std::nullopt;
  return permutation;
}

// A constant that broadcasts with transposed values, as it has to be to broadcast with their
// sources. Null if it has more dimensions than they.
TensorPtr Untransposed(const Tensor& constant, const Permutation& permutation) {
  graph::Shape dims = constant.shape();
  if (dims.size() > permutation.size()) return nullptr;
  dims.insert(dims.begin(), permutation.size() - dims.size(), 1);
  const std::vector<int64_t> strides = kernels::Strides(dims, kernels::Layout::kRowMajor);
  graph::Shape shape;
  std::vector<int64_t> moved;
  for (int64_t d : Inverse(permutation)) {
    shape.push_back(dims[static_cast<size_t>(d)]);
    moved.push_back(strides[static_cast<size_t>(d)]);
  }
  return graph::GatherStrided(constant, shape, moved, 0);
}

// `axis` of a transposed value as one of its source; nothing outside of its rank.
std::optional<int64_t> SourceAxis(int64_t axis, const Permutation& permutation) {
  const std::optional<size_t> normal = graph::NormalizeAxis(axis, permutation.size());
  if (!normal) return std::nullopt;
  return permutation[*normal];
}

class Sinking {
 public:
  explicit Sinking(Graph& graph) : graph_(graph), alias_(graph.value_count(), kNoValue) {
    for (const Node& node : graph.nodes) node_names_.Unique(node.name);
    for (size_t i = 0; i < graph.value_count(); ++i)
      value_names_.Unique(graph.value(static_cast<ValueId>(i)).name);
  }

  void Run() {
    for (Node& node : graph_.nodes) {
      for (ValueId& id : node.inputs) {
        if (id != kNoValue && Index(id) < alias_.size() && alias_[Index(id)] != kNoValue)
          id = alias_[Index(id)];
      }
      if (node.as<graph::Transpose>() != nullptr) {
        Compose(node);
        nodes_.push_back(std::move(node));
        continue;
      }
      const std::optional<Permutation> behind = Swap(node);
      nodes_.push_back(std::move(node));
      if (behind) AddTranspose(*behind);
    }
    graph_.nodes = std::move(nodes_);
  }

 private:
  static size_t Index(int64_t number) { return static_cast<size_t>(number); }

  // Notes what the node transposes; one behind another reads the first one's source.
  void Compose(Node& node) {
    auto& transpose = *node.as<graph::Transpose>();
    const ValueId y = node.outputs[0];
    std::optional<Permutation> permutation = Spelt(transpose, graph_.value(node.inputs[0]));
    if (!permutation || graph_.value(node.inputs[0]).quantization != graph_.value(y).quantization)
      return;
    if (const auto before = transposed_.find(node.inputs[0]); before != transposed_.end()) {
      for (int64_t& axis : *permutation) axis = before->second.permutation[Index(axis)];
      transpose.permutation = *permutation;
      node.inputs[0] = before->second.source;
    }
    if (IsInOrder(*permutation)) {
      node.operation = graph::Identity{};
      alias_[Index(y)] = node.inputs[0];
    } else {
      transposed_[y] = {node.inputs[0], *permutation};
    }
  }

  // Lets the node work on the sources of its transposed inputs; the transposition that its result
  // then needs. Nothing, and no change, if that is not the same for all inputs or not possible.
  std::optional<Permutation> Swap(Node& node) {
    if (node.inputs.empty() || node.outputs.size() != 1) return std::nullopt;
    const size_t data = DataInputs(node);
    if (data == 0) return std::nullopt;
    const Permutation* permutation = nullptr;
    for (size_t i = 0; i < data; ++i) {
      const auto found = transposed_.find(node.inputs[i]);
      if (found == transposed_.end()) continue;
      if (permutation != nullptr && *permutation != found->second.permutation) return std::nullopt;
      permutation = &found->second.permutation;
    }
    if (permutation == nullptr) return std::nullopt;

    Node swapped = node;
    for (size_t i = 0; i < data; ++i) {
      const ValueId id = node.inputs[i];
      const auto found = transposed_.find(id);
      swapped.inputs[i] = found != transposed_.end() ? found->second.source
                                                     : SourceOfConstant(node, id, *permutation);
      if (swapped.inputs[i] == kNoValue) return std::nullopt;
    }
    const std::optional<Permutation> behind = MoveAxes(swapped, *permutation);
    if (behind) node = std::move(swapped);
    return behind;
  }

  // How many of the first inputs have the result's dimensions (or broadcast to them); 0 for
  // operations that transpositions stay in front of.
  static size_t DataInputs(const Node& node) {
    if (node.as<graph::Binary>() != nullptr) return 2;
    if (node.as<graph::Concat>() != nullptr) return node.inputs.size();
    const bool one =
        node.as<graph::Eltwise>() != nullptr || node.as<graph::Pad>() != nullptr ||
        node.as<graph::Reduce>() != nullptr || node.as<graph::Slice>() != nullptr ||
        ((node.as<graph::Quantize>() != nullptr || node.as<graph::Dequantize>() != nullptr) &&
         node.inputs.size() == 1);
    return one ? 1 : 0;
  }

  // A constant operand of values that are transposed so; kNoValue for what is none.
  ValueId SourceOfConstant(const Node& node, ValueId id, const Permutation& permutation) {
    const Value& value = graph_.value(id);
    if (value.constant == nullptr || node.as<graph::Binary>() == nullptr) return kNoValue;
    if (value.constant->count() == 1 && value.constant->shape().empty()) return id;
    if (value.quantization && !value.quantization->per_tensor()) return kNoValue;
    TensorPtr moved = Untransposed(*value.constant, permutation);
    if (moved == nullptr) return kNoValue;
    Value source = value;
    source.name = value_names_.Unique(value.name);
    source.shape = moved->shape();
    source.constant = std::move(moved);
    return graph_.AddValue(std::move(source));
  }

  // Attributes and constants that name dimensions, from those of the transposed inputs to those of
  // the sources. The transposition of the result, empty for one that needs none.
  std::optional<Permutation> MoveAxes(Node& node, const Permutation& permutation) {
    if (auto* concat = node.as<graph::Concat>()) {
      const auto axis = SourceAxis(concat->axis, permutation);
      if (!axis) return std::nullopt;
      concat->axis = *axis;
    } else if (node.as<graph::Pad>() != nullptr) {
      if (!MovePads(node, permutation)) return std::nullopt;
    } else if (node.as<graph::Slice>() != nullptr) {
      if (!MoveSlice(node, permutation)) return std::nullopt;
    } else if (node.as<graph::Reduce>() != nullptr) {
      return MoveReduce(node, permutation);
    }
    return permutation;
  }

  bool MovePads(Node& node, const Permutation& permutation) {
    const Tensor* pads = graph_.ConstantInput(node, 1);
    const size_t rank = permutation.size();
    if (pads == nullptr || pads->type() != DataType::kInt64 || node.input(3) != kNoValue ||
        pads->count() != static_cast<int64_t>(2 * rank)) {
      return false;
    }
    std::vector<int64_t> moved(2 * rank);
    for (size_t d = 0; d < 2 * rank; ++d) {
      moved[d / rank * rank + Index(permutation[d % rank])] = pads->as<int64_t>()[d];
    }
    node.inputs[1] = NewInt64s(node.inputs[1], moved);
    return true;
  }

  bool MoveSlice(Node& node, const Permutation& permutation) {
    constexpr size_t kStarts = 1, kAxes = 3;
    const Tensor* starts = graph_.ConstantInput(node, kStarts);
    const Tensor* axes = graph_.ConstantInput(node, kAxes);
    if (starts == nullptr || (node.input(kAxes) != kNoValue && axes == nullptr)) return false;
    std::vector<int64_t> moved;
    for (int64_t i = 0; i < starts->count(); ++i) {
      const auto axis = SourceAxis(axes == nullptr ? i : axes->ToInt64()[Index(i)], permutation);
      if (!axis) return false;
      moved.push_back(*axis);
    }
    if (node.inputs.size() <= kAxes) node.inputs.resize(kAxes + 1, kNoValue);
    node.inputs[kAxes] = NewInt64s(node.inputs[kStarts], moved);
    return true;
  }

  // Over dimensions that are stated, each once. Those that remain keep their order or are
  // transposed, too.
  std::optional<Permutation> MoveReduce(Node& node, const Permutation& permutation) {
    auto& reduce = *node.as<graph::Reduce>();
    std::vector<int64_t> axes = reduce.axes;
    if (node.input(1) != kNoValue) {
      const Tensor* constant = graph_.ConstantInput(node, 1);
      if (constant == nullptr) return std::nullopt;
      axes = constant->ToInt64();
    }
    if (axes.empty()) return std::nullopt;
    for (int64_t& axis : axes) {
      const auto moved = SourceAxis(axis, permutation);
      if (!moved) return std::nullopt;
      axis = *moved;
    }
    std::sort(axes.begin(), axes.end());
    if (std::adjacent_find(axes.begin(), axes.end()) != axes.end()) return std::nullopt;
    reduce.axes = axes;
    node.inputs.resize(1);
    if (reduce.keep_dims) return permutation;
    Permutation behind;  // of the dimensions that remain, counted among themselves
    for (int64_t from : permutation) {
      if (std::find(axes.begin(), axes.end(), from) != axes.end()) continue;
      int64_t place = from;
      for (int64_t axis : axes) place -= axis < from ? 1 : 0;
      behind.push_back(place);
    }
    return behind;
  }

  ValueId NewInt64s(ValueId like, const std::vector<int64_t>& values) {
    return graph_.AddConstant(
        value_names_.Unique(graph_.value(like).name),
        Tensor::Of(DataType::kInt64, {static_cast<int64_t>(values.size())}, values));
  }

  // The last node writes a new value, and a Transpose behind it what it wrote before.
  void AddTranspose(const Permutation& permutation) {
    if (IsInOrder(permutation)) return;
    Node& node = nodes_.back();
    const ValueId y = node.outputs[0];
    Value source;
    source.name = value_names_.Unique(graph_.value(y).name);
    source.type = graph_.value(y).type;
    source.quantization = graph_.value(y).quantization;
    node.outputs[0] = graph_.AddValue(std::move(source));
    Node transpose;
    transpose.name = node_names_.Unique(node.name + "_transpose");
    transpose.operation = graph::Transpose{.permutation = permutation};
    transpose.inputs = {node.outputs[0]};
    transpose.outputs = {y};
    transposed_[y] = {node.outputs[0], permutation};
    nodes_.push_back(std::move(transpose));
  }

  Graph& graph_;
  std::vector<Node> nodes_;                   // the new list
  std::map<ValueId, Transposed> transposed_;  // by the value that is a transpose
  std::vector<ValueId> alias_;                // values that are another one; kNoValue: themselves
  graph::NameSet node_names_, value_names_;
};

}  // namespace

absl::Status SinkTransposes(Graph& graph) {
  Sinking(graph).Run();
  return absl::OkStatus();
}

}  // namespace fourfold::passes
