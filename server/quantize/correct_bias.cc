#include "server/quantize/correct_bias.h"

#include <map>
#include <string>

#include "server/base/status_macros.h"
#include "server/graph/infer_shapes.h"
#include "server/quantize/weights.h"
#include "server/runtime/program.h"

namespace fourfold::quantize {
namespace {

using graph::Graph;
using graph::Node;
using graph::ValueId;

constexpr int64_t kSamplesMost = 64;
constexpr size_t kBias = 2;
constexpr size_t kResidual = 3;

using Means = std::vector<double>;  // by output channel

void RemoveActivation(Node& node) {
  if (auto* conv = node.as<graph::Conv>()) conv->activation = {};
  if (auto* matmul = node.as<graph::MatMul>()) matmul->activation = {};
}

kernels::Activation ActivationOf(const Node& node) {
  if (const auto* conv = node.as<graph::Conv>()) return conv->activation;
  return node.as<graph::MatMul>()->activation;
}

// Lets the node write a bare sum, a new float32 value, which is returned.
ValueId ExposeSum(Graph& graph, Node& node) {
  RemoveActivation(node);
  graph::Value sum;
  sum.name = graph.UniqueValueName(node.name + "_sum");
  sum.shape = graph.value(node.outputs[0]).shape;
  node.outputs = {graph.AddValue(std::move(sum))};
  return node.outputs[0];
}

// The graph up to node `index`, answering with that node's bare sum.
Graph TruncateAt(const Graph& graph, size_t index) {
  Graph part = graph;
  part.nodes.resize(index + 1);
  part.outputs = {ExposeSum(part, part.nodes.back())};
  graph::RemoveDeadNodes(part);
  return part;
}

struct Worker {
  runtime::Arena arena;
  kernels::Sequential sequential;
};

// What one sample adds to a value's means.
struct Sum {
  Means sums;
  double positions = 0;  // how many elements went into each channel's sum
};

// Adds the elements of an array of batch 1 to the sums of their channels. Channels are innermost in
// channels-last images and in matrices, else the second dimension. Returns how many each channel
// had.
double Accumulate(const runtime::Observed& seen, bool matrix, Means& sums) {
  const kernels::Dims& dims = seen.spec.dims;
  const auto* values = static_cast<const float*>(seen.data);
  const auto count = static_cast<size_t>(graph::ElementCount(dims));
  const auto channels = static_cast<size_t>(matrix ? dims.back() : dims[1]);
  sums.resize(channels, 0);
  if (matrix || seen.spec.layout == kernels::Layout::kChannelsLast) {
    for (size_t i = 0; i < count; i += channels) {
      for (size_t c = 0; c < channels; ++c) sums[c] += values[i + c];
    }
    return static_cast<double>(count / channels);
  }
  const size_t space = count / channels;
  for (size_t c = 0; c < channels; ++c) {
    double sum = 0;
    for (size_t i = 0; i < space; ++i) sum += values[c * space + i];
    sums[c] += sum;
  }
  return static_cast<double>(space);
}

// A bare sum whose channel means are wanted.
struct Wanted {
  ValueId id;
  bool matrix;
};

// Mean of each channel of the wanted values over the samples.
absl::StatusOr<std::map<ValueId, Means>> MeansOf(const Graph& graph,
                                                 const std::vector<Wanted>& wanted,
                                                 const SampleSet& samples,
                                                 const SampleBinding& binding,
                                                 kernels::CpuFeatures features, int workers,
                                                 kernels::PackedWeights& packed) {
  runtime::PlanOptions options;
  options.features = features;
  options.packed = &packed;
  std::map<ValueId, bool> matrix;
  for (const Wanted& value : wanted) {
    options.observed.push_back(value.id);
    matrix[value.id] = value.matrix;
  }
  constexpr size_t kPlansMax = 8;
  const runtime::Program program(graph, options, kPlansMax);
  std::vector<Worker> states(static_cast<size_t>(workers));
  const int64_t count = std::min(samples.size(), kSamplesMost);
  std::vector<std::map<ValueId, Sum>> by_sample(static_cast<size_t>(count));
  RETURN_IF_ERROR(VisitSamples(
      samples, binding, count, workers,
      [&](int worker, int64_t index, const std::vector<std::vector<std::byte>>& inputs) {
        Worker& state = states[static_cast<size_t>(worker)];
        std::vector<runtime::TensorRef> refs;
        for (size_t i = 0; i < inputs.size(); ++i) {
          refs.push_back(
              {graph.value(graph.inputs[i]).type, binding.input_shapes[i], inputs[i].data()});
        }
        std::map<ValueId, Sum>& sums = by_sample[static_cast<size_t>(index)];
        const auto observer = [&](ValueId id, const kernels::TensorSpec& spec, const void* data) {
          Sum& sum = sums[id];
          sum.positions = Accumulate({data, spec}, matrix.at(id), sum.sums);
        };
        RETURN_IF_ERROR(program.Run(refs, state.arena, state.sequential, observer).status());
        return absl::OkStatus();
      }));
  std::map<ValueId, Means> means;
  for (const Wanted& value : wanted) {
    Means& mean = means[value.id];
    double positions = 0;
    for (const auto& sums : by_sample) {  // in the order of samples, whoever computed them
      const auto found = sums.find(value.id);
      if (found == sums.end()) continue;  // not computed for this sample
      const Sum& sum = found->second;
      mean.resize(sum.sums.size(), 0);
      for (size_t c = 0; c < mean.size(); ++c) mean[c] += sum.sums[c];
      positions += sum.positions;
    }
    for (double& m : mean) m /= positions;
  }
  return means;
}

// Adds `delta` to the node's bias, which it gets if it had none.
void AddToBias(Graph& graph, Node& node, const Means& delta) {
  std::vector<float> bias(delta.size(), 0.0f);
  if (const graph::Tensor* old = graph.ConstantInput(node, kBias)) bias = old->ToFloat();
  for (size_t c = 0; c < delta.size(); ++c) bias[c] += static_cast<float>(delta[c]);
  if (node.inputs.size() <= kBias) node.inputs.resize(kBias + 1, graph::kNoValue);
  const auto channels = static_cast<int64_t>(delta.size());
  node.inputs[kBias] =
      graph.AddConstant(graph.UniqueValueName(node.name + "_bias"),
                        graph::Tensor::Of(graph::DataType::kFloat32, {channels}, bias));
}

// A Conv or MatMul whose bias is absent or a constant per channel.
bool CanCorrect(const Graph& reference, const Node& node) {
  if (node.as<graph::Recurrent>() != nullptr) return false;  // its sums are not outputs
  if (!HasQuantizableWeights(reference, node) || node.input(kResidual) != graph::kNoValue)
    return false;
  if (node.input(kBias) == graph::kNoValue) return true;
  const graph::Tensor* bias = reference.ConstantInput(node, kBias);
  const graph::Tensor* weights = reference.ConstantInput(node, 1);
  return bias != nullptr && bias->type() == graph::DataType::kFloat32 &&
         bias->count() == weights->shape()[static_cast<size_t>(WeightChannelAxis(node))];
}

// The first samples of a set in memory, so that pictures are decoded once and not once per layer.
class Remembered final : public SampleSet {
 public:
  static absl::StatusOr<Remembered> Read(const SampleSet& samples) {
    constexpr size_t kBytesMost = size_t{256} << 20;
    Remembered remembered(samples.inputs());
    size_t bytes = 0;
    for (int64_t i = 0; i < std::min(samples.size(), kSamplesMost); ++i) {
      ASSIGN_OR_RETURN(std::vector<std::vector<std::byte>> sample, samples.Read(i));
      for (const auto& array : sample) bytes += array.size();
      if (i > 0 && bytes > kBytesMost) break;
      remembered.samples_.push_back(std::move(sample));
    }
    return remembered;
  }

  int64_t size() const override { return static_cast<int64_t>(samples_.size()); }
  const std::vector<SampleInput>& inputs() const override { return inputs_; }
  absl::StatusOr<std::vector<std::vector<std::byte>>> Read(int64_t index) const override {
    return samples_[static_cast<size_t>(index)];
  }
  std::span<const int64_t> labels() const override { return {}; }

 private:
  explicit Remembered(std::vector<SampleInput> inputs) : inputs_(std::move(inputs)) {}

  std::vector<SampleInput> inputs_;
  std::vector<std::vector<std::vector<std::byte>>> samples_;
};

// The reference with the sums of its correctable nodes as values of their own, and those values by
// node name.
struct Exposed {
  Graph graph;
  std::map<std::string, Wanted> sums;
};

Exposed ExposeSums(const Graph& reference) {
  Exposed exposed{reference, {}};
  std::vector<Node> nodes;
  for (const Node& original : reference.nodes) {
    Node node = original;
    if (!CanCorrect(reference, node)) {
      nodes.push_back(std::move(node));
      continue;
    }
    Node activate;
    activate.name = node.name + "_activation";
    activate.operation = graph::Eltwise{graph::Eltwise::Function::kActivation, ActivationOf(node)};
    activate.outputs = node.outputs;
    const ValueId sum = ExposeSum(exposed.graph, node);
    activate.inputs = {sum};
    exposed.sums[node.name] = {sum, node.as<graph::MatMul>() != nullptr};
    nodes.push_back(std::move(node));
    nodes.push_back(std::move(activate));
  }
  exposed.graph.nodes = std::move(nodes);
  return exposed;
}

}  // namespace

absl::StatusOr<Graph> CorrectBias(const Graph& reference, const Graph& quantized,
                                  const SampleSet& samples, const SampleBinding& binding,
                                  kernels::CpuFeatures features, int workers,
                                  const Progress& progress) {
  ASSIGN_OR_RETURN(const Remembered remembered, Remembered::Read(samples));
  const Exposed exposed = ExposeSums(reference);
  std::vector<Wanted> wanted;
  for (const auto& [name, sum] : exposed.sums) wanted.push_back(sum);
  kernels::PackedWeights packed_reference;
  ASSIGN_OR_RETURN(const auto targets, MeansOf(exposed.graph, wanted, remembered, binding, features,
                                               workers, packed_reference));
  Graph corrected = quantized;
  kernels::PackedWeights packed;
  for (size_t i = 0; i < corrected.nodes.size(); ++i) {
    const auto found = exposed.sums.find(corrected.nodes[i].name);
    if (found == exposed.sums.end()) continue;
    const Graph part = TruncateAt(corrected, i);
    const Wanted sum{part.outputs[0], found->second.matrix};
    ASSIGN_OR_RETURN(auto means,
                     MeansOf(part, {sum}, remembered, binding, features, workers, packed));
    Means delta = targets.at(found->second.id);
    for (size_t c = 0; c < delta.size(); ++c) delta[c] -= means.at(sum.id)[c];
    AddToBias(corrected, corrected.nodes[i], delta);
    if (progress) progress(static_cast<int>((i + 1) * 100 / corrected.nodes.size()));
  }
  return corrected;
}

}  // namespace fourfold::quantize
