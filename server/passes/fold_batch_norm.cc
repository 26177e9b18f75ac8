#include <cmath>

#include "server/passes/passes.h"
#include "server/passes/rewrite.h"

namespace fourfold::passes {

using graph::BatchNorm;
using graph::Binary;
using graph::Graph;
using graph::kNoValue;
using graph::Node;
using graph::Tensor;
using graph::TensorPtr;
using graph::ValueId;

namespace {

constexpr size_t kWeights = 1, kBias = 2, kResidual = 3;

// y = activation(scale * x + shift), per channel; an empty scale means 1.
struct Affine {
  std::vector<double> scale;
  std::vector<double> shift;
  kernels::Activation activation;
};

// The channels of a Conv's or MatMul's result: how many, and where they are counted from the back.
struct Channels {
  size_t count = 0;
  size_t from_back = 0;
  std::optional<size_t> rank;  // of the result
};

std::optional<Channels> ChannelsOf(const Graph& graph, const Node& node) {
  const auto& weights = graph.value(node.inputs[kWeights]).shape;
  if (!weights) return std::nullopt;
  int64_t count = graph::kUnknownDim;
  Channels channels;
  if (node.as<graph::Conv>() != nullptr) {
    channels.rank = weights->size();
    channels.from_back = weights->size() - 2;
    count = weights->front();
  } else if (const auto* matmul = node.as<graph::MatMul>();
             matmul != nullptr && weights->size() >= 2) {
    const auto& shape = graph.value(node.outputs[0]).shape;
    if (shape) channels.rank = shape->size();
    count = (*weights)[weights->size() - (matmul->transpose_rhs ? 2 : 1)];
  }
  if (count <= 0) return std::nullopt;
  channels.count = static_cast<size_t>(count);
  return channels;
}

// A constant that varies with the channel alone, one number per channel; nothing for any other.
std::optional<std::vector<double>> PerChannel(const Tensor& constant, const Channels& channels) {
  const graph::Shape& shape = constant.shape();
  if (shape.size() > channels.rank.value_or(1)) return std::nullopt;
  for (size_t i = 0; i < shape.size(); ++i) {
    const size_t from_back = shape.size() - 1 - i;
    if (shape[i] == 1) continue;
    if (from_back != channels.from_back || shape[i] != static_cast<int64_t>(channels.count))
      return std::nullopt;
  }
  const std::vector<float> numbers = constant.ToFloat();
  std::vector<double> result(numbers.begin(), numbers.end());
  if (result.size() == 1) result.resize(channels.count, result[0]);
  return result;
}

// The scale and shift of a BatchNorm whose parameters are constants.
std::optional<Affine> ReadBatchNorm(const Graph& graph, const Node& node) {
  std::vector<float> parameters[4];
  for (size_t i = 0; i < 4; ++i) {
    const Tensor* constant = PlainConstant(graph, node, i + 1);
    if (constant == nullptr || constant->shape().size() != 1) return std::nullopt;
    parameters[i] = constant->ToFloat();
    if (parameters[i].size() != parameters[0].size()) return std::nullopt;
  }
  const auto& [scale, bias, mean, variance] = parameters;
  Affine affine;
  for (size_t c = 0; c < scale.size(); ++c) {
    const double factor = static_cast<double>(scale[c]) /
                          std::sqrt(static_cast<double>(variance[c]) +
                                    static_cast<double>(node.as<BatchNorm>()->epsilon));
    affine.scale.push_back(factor);
    affine.shift.push_back(static_cast<double>(bias[c]) - factor * static_cast<double>(mean[c]));
  }
  return affine;
}

// What a Binary of x and a per-channel constant does to x.
std::optional<Affine> ReadBinary(const Graph& graph, const Node& node, ValueId x,
                                 const Channels& channels) {
  const Binary& binary = *node.as<Binary>();
  const bool x_first = node.inputs[0] == x;
  const Tensor* constant = PlainConstant(graph, node, x_first ? 1 : 0);
  if (constant == nullptr) return std::nullopt;
  std::optional<std::vector<double>> numbers = PerChannel(*constant, channels);
  if (!numbers) return std::nullopt;
  Affine affine;
  affine.activation = binary.activation;
  affine.shift.assign(channels.count, 0.0);
  switch (binary.operation) {
    case Binary::Operation::kAdd: affine.shift = std::move(*numbers); return affine;
    case Binary::Operation::kSub:
      if (x_first) {
        for (double& number : *numbers) number = -number;
      } else {
        affine.scale.assign(channels.count, -1.0);
      }
      affine.shift = std::move(*numbers);
      return affine;
    case Binary::Operation::kMul: affine.scale = std::move(*numbers); return affine;
    case Binary::Operation::kDiv:
      if (!x_first) return std::nullopt;
      for (double& number : *numbers) {
        if (number == 0.0) return std::nullopt;
        number = 1.0 / number;
      }
      affine.scale = std::move(*numbers);
      return affine;
    default: return std::nullopt;
  }
}

std::optional<Affine> ReadAffine(const Graph& graph, const Node& node, ValueId x,
                                 const Channels& channels) {
  if (node.as<Binary>() != nullptr) return ReadBinary(graph, node, x, channels);
  // A BatchNorm's channels are dimension 1.
  if (node.as<BatchNorm>() == nullptr || node.inputs[0] != x || !channels.rank ||
      *channels.rank != channels.from_back + 2) {
    return std::nullopt;
  }
  std::optional<Affine> affine = ReadBatchNorm(graph, node);
  if (affine && affine->scale.size() != channels.count) return std::nullopt;
  return affine;
}

// Weights with each output channel multiplied.
TensorPtr ScaledWeights(const Tensor& weights, const Node& node, const std::vector<double>& scale) {
  const auto* matmul = node.as<graph::MatMul>();
  const bool rows = matmul == nullptr || matmul->transpose_rhs;  // channels along dimension 0
  std::vector<float> numbers = weights.ToFloat();
  const size_t run = numbers.size() / scale.size();
  for (size_t i = 0; i < numbers.size(); ++i) {
    numbers[i] = static_cast<float>(static_cast<double>(numbers[i]) *
                                    scale[rows ? i / run : i % scale.size()]);
  }
  return Tensor::Of<float>(graph::DataType::kFloat32, weights.shape(), numbers);
}

// Puts `affine` behind the sum of a Conv or MatMul into its weights and bias, if they are
// constants.
bool Absorb(Graph& graph, Node& node, const Channels& channels, const Affine& affine) {
  std::vector<double> bias(channels.count, 0.0);
  if (node.input(kBias) != kNoValue) {
    const Tensor* constant = PlainConstant(graph, node, kBias);
    Channels of_bias = channels;
    if (node.as<graph::Conv>() != nullptr) of_bias.from_back = 0;
    const auto numbers = constant == nullptr ? std::nullopt : PerChannel(*constant, of_bias);
    if (!numbers) return false;
    bias = *numbers;
  }
  std::string base = graph.value(node.inputs[kWeights]).name;
  if (!affine.scale.empty()) {
    const Tensor* weights = PlainConstant(graph, node, kWeights);
    const size_t rank = weights == nullptr ? 0 : weights->shape().size();
    if (rank == 0 || (node.as<graph::MatMul>() != nullptr && rank != 2)) return false;
    TensorPtr scaled = ScaledWeights(*weights, node, affine.scale);
    node.inputs[kWeights] =
        graph.AddConstant(graph.UniqueValueName(base + "_folded"), std::move(scaled));
  }
  std::vector<float> folded;
  for (size_t c = 0; c < channels.count; ++c) {
    folded.push_back(static_cast<float>(bias[c] * (affine.scale.empty() ? 1.0 : affine.scale[c]) +
                                        affine.shift[c]));
  }
  if (node.inputs.size() <= kBias) node.inputs.resize(kBias + 1, kNoValue);
  if (node.inputs[kBias] != kNoValue) base = graph.value(node.inputs[kBias]).name;
  const std::string name =
      graph.UniqueValueName(base + (node.inputs[kBias] == kNoValue ? "_bias" : "_folded"));
  node.inputs[kBias] = graph.AddConstant(
      name,
      Tensor::Of<float>(graph::DataType::kFloat32, {static_cast<int64_t>(channels.count)}, folded));
  *FusedActivation(node) = affine.activation;
  return true;
}

void FoldIntoProducers(Graph& graph) {
  Fusion fusion(graph);
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const size_t operands = graph.nodes[i].as<BatchNorm>() != nullptr ? 1
                            : graph.nodes[i].as<Binary>() != nullptr  ? 2
                                                                      : 0;
    for (size_t side = 0; side < operands; ++side) {
      const ValueId x = graph.nodes[i].inputs[side];
      Node* producer = fusion.Producer(x);
      if (producer == nullptr || !fusion.MayVanish(x)) continue;
      if (producer->as<graph::Conv>() == nullptr && producer->as<graph::MatMul>() == nullptr)
        continue;
      if (HasActivation(*FusedActivation(*producer)) || producer->input(kResidual) != kNoValue)
        continue;
      const std::optional<Channels> channels = ChannelsOf(graph, *producer);
      if (!channels) continue;
      const std::optional<Affine> affine = ReadAffine(graph, graph.nodes[i], x, *channels);
      if (!affine || !Absorb(graph, *producer, *channels, *affine)) continue;
      fusion.MergeInto(*producer, i);
      break;
    }
  }
  fusion.Finish();
}

ValueId PerChannelConstant(Graph& graph, const std::string& name,
                           const std::vector<double>& numbers, size_t rank) {
  graph::Shape shape(rank - 1, 1);
  shape[0] = static_cast<int64_t>(numbers.size());
  const std::vector<float> narrow(numbers.begin(), numbers.end());
  return graph.AddConstant(graph.UniqueValueName(name),
                           Tensor::Of<float>(graph::DataType::kFloat32, std::move(shape), narrow));
}

// What is left of BatchNorms: a multiplication and an addition each.
void SplitBatchNorms(Graph& graph) {
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    if (graph.nodes[i].as<BatchNorm>() == nullptr) continue;
    const ValueId x = graph.nodes[i].inputs[0], y = graph.nodes[i].outputs[0];
    const auto shape = graph.value(x).shape;
    const std::optional<Affine> affine = ReadBatchNorm(graph, graph.nodes[i]);
    if (!shape || shape->size() < 2 || !affine) continue;
    const std::string name = graph.nodes[i].name;
    const ValueId scale = PerChannelConstant(graph, name + "_scale", affine->scale, shape->size());
    const ValueId shift = PerChannelConstant(graph, name + "_shift", affine->shift, shape->size());
    graph::Value product;
    product.name = graph.UniqueValueName(name + "_product");
    product.shape = shape;
    const ValueId scaled = graph.AddValue(std::move(product));
    Node multiply{graph.UniqueNodeName(name + "_multiply"),
                  Binary{Binary::Operation::kMul, {}},
                  {x, scale},
                  {scaled}};
    graph.nodes[i] = Node{name, Binary{Binary::Operation::kAdd, {}}, {scaled, shift}, {y}};
    graph.nodes.insert(graph.nodes.begin() + static_cast<std::ptrdiff_t>(i), std::move(multiply));
    ++i;
  }
}

// A BatchNorm whose parameters are computed, step by step:
//   factor = scale / sqrt(variance + epsilon), y = x * factor + (bias - mean * factor)
// Writes nodes to `nodes`; x has `rank` dimensions.
class BatchNormSteps {
 public:
  BatchNormSteps(Graph& graph, const Node& norm, size_t rank, std::vector<Node>& nodes)
      : graph_(graph), norm_(norm), rank_(rank), nodes_(nodes) {}

  void Write() {
    using Op = Binary::Operation;
    const ValueId epsilon = graph_.AddConstant(
        Name("epsilon"),
        Tensor::Of<float>(graph::DataType::kFloat32, {}, {norm_.as<BatchNorm>()->epsilon}));
    const ValueId variance = Step("variance", Binary{Op::kAdd, {}}, {norm_.inputs[4], epsilon});
    const ValueId deviation =
        Step("deviation", graph::Eltwise{graph::Eltwise::Function::kSqrt, {}}, {variance});
    const ValueId factor = Step("factor", Binary{Op::kDiv, {}}, {norm_.inputs[1], deviation});
    const ValueId centre = Step("centre", Binary{Op::kMul, {}}, {norm_.inputs[3], factor});
    const ValueId shift = Step("shift", Binary{Op::kSub, {}}, {norm_.inputs[2], centre});
    const ValueId scaled =
        Step("scaled", Binary{Op::kMul, {}}, {norm_.inputs[0], PerChannel("factors", factor)});
    const ValueId shifts = PerChannel("shifts", shift);
    nodes_.push_back({norm_.name, Binary{Op::kAdd, {}}, {scaled, shifts}, {norm_.outputs[0]}});
  }

 private:
  std::string Name(const std::string& suffix) const {
    return graph_.UniqueValueName(norm_.name + "_" + suffix);
  }

  ValueId Step(const std::string& suffix, graph::Operation operation, std::vector<ValueId> inputs) {
    graph::Value value;
    value.name = Name(suffix);
    const ValueId result = graph_.AddValue(std::move(value));
    nodes_.push_back({graph_.UniqueNodeName(norm_.name + "_" + suffix),
                      std::move(operation),
                      std::move(inputs),
                      {result}});
    return result;
  }

  // [channels] as [channels, 1, ...].
  ValueId PerChannel(const std::string& suffix, ValueId numbers) {
    if (rank_ == 2) return numbers;
    std::vector<int64_t> axes;
    for (size_t i = 1; i + 1 < rank_; ++i) axes.push_back(static_cast<int64_t>(i));
    const ValueId constant = graph_.AddConstant(
        Name(suffix + "_axes"),
        Tensor::Of<int64_t>(graph::DataType::kInt64, {static_cast<int64_t>(axes.size())}, axes));
    return Step(suffix, graph::Unsqueeze{}, {numbers, constant});
  }

  Graph& graph_;
  const Node norm_;
  const size_t rank_;
  std::vector<Node>& nodes_;
};

void ExpandComputedBatchNorms(Graph& graph) {
  std::vector<Node> nodes;
  for (const Node& node : graph.nodes) {
    const std::optional<graph::Shape> shape =
        node.as<BatchNorm>() == nullptr ? std::nullopt : graph.value(node.inputs[0]).shape;
    if (shape && shape->size() >= 2) {
      BatchNormSteps(graph, node, shape->size(), nodes).Write();
    } else {
      nodes.push_back(node);
    }
  }
  graph.nodes = std::move(nodes);
}

}  // namespace

absl::Status FoldBatchNorm(Graph& graph) {
  FoldIntoProducers(graph);
  SplitBatchNorms(graph);
  ExpandComputedBatchNorms(graph);
  return absl::OkStatus();
}

}  // namespace fourfold::passes
