#include "server/graph/graph.h"

#include <set>

namespace fourfold::graph {

absl::string_view OperationName(const Operation& operation) {
  static constexpr absl::string_view kNames[] = {"Conv",
                                                 "MatMul",
                                                 "ConvTranspose",
                                                 "IntegerConv",
                                                 "IntegerMatMul",
                                                 "Einsum",
                                                 "Recurrent",
                                                 "Pool",
                                                 "MaxUnpool",
                                                 "MaxRoiPool",
                                                 "RoiAlign",
                                                 "GridSample",
                                                 "NonMaxSuppression",
                                                 "DepthToSpace",
                                                 "SpaceToDepth",
                                                 "Col2Im",
                                                 "BatchNorm",
                                                 "Normalization",
                                                 "LpNormalization",
                                                 "LocalResponseNorm",
                                                 "Eltwise",
                                                 "PRelu",
                                                 "Binary",
                                                 "Compare",
                                                 "Where",
                                                 "Softmax",
                                                 "Hardmax",
                                                 "CumSum",
                                                 "ArgReduce",
                                                 "TopK",
                                                 "Det",
                                                 "NegativeLogLikelihood",
                                                 "Concat",
                                                 "Reduce",
                                                 "Pad",
                                                 "Resize",
                                                 "Transpose",
                                                 "Reshape",
                                                 "Flatten",
                                                 "Squeeze",
                                                 "Unsqueeze",
                                                 "Slice",
                                                 "Gather",
                                                 "GatherElements",
                                                 "GatherNd",
                                                 "ScatterElements",
                                                 "ScatterNd",
                                                 "Expand",
                                                 "Tile",
                                                 "Trilu",
                                                 "ReverseSequence",
                                                 "OneHot",
                                                 "NonZero",
                                                 "Compress",
                                                 "Unique",
                                                 "ShapeOf",
                                                 "SizeOf",
                                                 "ConstantOfShape",
                                                 "Range",
                                                 "EyeLike",
                                                 "WindowFunction",
                                                 "MelWeights",
                                                 "Dft",
                                                 "Stft",
                                                 "Cast",
                                                 "Identity",
                                                 "If",
                                                 "Loop",
                                                 "Scan",
                                                 "Quantize",
                                                 "Dequantize",
                                                 "DynamicQuantize"};
  static_assert(std::size(kNames) == std::variant_size_v<Operation>);
  return kNames[operation.index()];
}

ValueId Graph::AddValue(Value value) {
  values_.push_back(std::move(value));
  return static_cast<ValueId>(values_.size()) - 1;
}

ValueId Graph::AddConstant(std::string name, TensorPtr tensor) {
  Value value;
  value.name = std::move(name);
  value.type = tensor->type();
  value.shape = tensor->shape();
  value.constant = std::move(tensor);
  return AddValue(std::move(value));
}

const Tensor* Graph::ConstantInput(const Node& node, size_t i) const {
  const ValueId id = node.input(i);
  return id == kNoValue ? nullptr : value(id).constant.get();
}

namespace {

std::string Untaken(const std::set<std::string>& taken, const std::string& base) {
  if (!taken.contains(base)) return base;
  for (int i = 1;; ++i) {
    std::string name = base + "_" + std::to_string(i);
    if (!taken.contains(name)) return name;
  }
}

}  // namespace

std::string Graph::UniqueValueName(const std::string& base) const {
  std::set<std::string> taken;
  for (const Value& value : values_) taken.insert(value.name);
  return Untaken(taken, base);
}

std::string Graph::UniqueNodeName(const std::string& base) const {
  std::set<std::string> taken;
  for (const Node& node : nodes) taken.insert(node.name);
  return Untaken(taken, base);
}

Uses::Uses(const Graph& graph)
    : producer_(graph.value_count(), -1),
      consumers_(graph.value_count()),
      is_output_(graph.value_count(), false) {
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    for (ValueId id : graph.nodes[i].inputs) {
      if (id != kNoValue) consumers_[static_cast<size_t>(id)].push_back(static_cast<int>(i));
    }
    for (ValueId id : graph.nodes[i].outputs) {
      if (id != kNoValue) producer_[static_cast<size_t>(id)] = static_cast<int>(i);
    }
  }
  for (ValueId id : graph.outputs) is_output_[static_cast<size_t>(id)] = true;
}

}  // namespace fourfold::graph
