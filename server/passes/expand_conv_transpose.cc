// A transposed convolution of stride s is an ordinary one of stride 1 that computes, for every
// position of its input, the s^d outputs around it as so many more channels (Shi et al. 2016, "Is
// the deconvolution layer the same as a convolutional layer?"), and a rearrangement of these
// channels into space. So it runs on the fast kernels, float and integer, and is quantized like any
// Conv.
#include <algorithm>
#include <cstring>
#include <limits>

#include "server/passes/passes.h"
#include "server/passes/rewrite.h"
#include "server/passes/transposed_axis.h"

namespace fourfold::passes {
namespace {

using graph::ConvTranspose;
using graph::Graph;
using graph::kNoValue;
using graph::kUnknownDim;
using graph::Node;
using graph::Shape;
using graph::Tensor;
using graph::TensorPtr;
using graph::ValueId;

// The order of the Conv's channels. Phase by phase, all channels of a phase are neighbours and move
// together; but groups want the phases of a channel, and so those of a group, next to each other.
struct Order {
  int64_t channels = 1;
  int64_t phases = 1;
  bool by_phase = false;

  int64_t size() const { return channels * phases; }
  int64_t channel(int64_t i) const { return by_phase ? i % channels : i / phases; }
  int64_t phase(int64_t i) const { return by_phase ? i / channels : i % phases; }
};

// Rearranges [I, O/g, kernel] to [O * phases, I/g, taps].
TensorPtr Expanded(const Tensor& weights, int64_t groups, const std::vector<TransposedAxis>& axes,
                   const Order& order, const std::vector<int32_t>& zero_points) {
  const Shape& from = weights.shape();
  const int64_t group_out = from[1], group_in = from[0] / groups;
  Shape shape = {order.size(), group_in};
  int64_t taps = 1, kernel = 1;
  for (size_t i = 0; i < axes.size(); ++i) {
    shape.push_back(axes[i].taps);
    taps *= axes[i].taps;
    kernel *= from[i + 2];
  }
  const size_t element = kernels::ElementSize(weights.type());
  std::vector<std::byte> bytes(static_cast<size_t>(kernels::ElementCount(shape)) * element);
  const auto* source = static_cast<const std::byte*>(weights.data());
  std::byte* to = bytes.data();
  for (int64_t out = 0; out < shape[0]; ++out) {
    const int64_t phase = order.phase(out), channel = order.channel(out);
    const int64_t group = channel / group_out, o = channel % group_out;
    for (int64_t c = 0; c < group_in; ++c) {
      const int64_t row = ((group * group_in + c) * group_out + o) * kernel;
      for (int64_t tap = 0; tap < taps; ++tap, to += element) {
        int64_t rest = tap, phase_rest = phase, offset = 0, stride = 1;
        for (size_t i = axes.size(); i-- > 0;) {
          const TransposedAxis& axis = axes[i];
          const auto& own = axis.tap[static_cast<size_t>(phase_rest % axis.stride)];
          const int64_t k = own[static_cast<size_t>(rest % axis.taps)];
          rest /= axis.taps;
          phase_rest /= axis.stride;
          offset = k < 0 || offset < 0 ? -1 : offset + k * stride;
          stride *= from[i + 2];
        }
        if (offset >= 0) {
          std::memcpy(to, source + static_cast<size_t>(row + offset) * element, element);
        } else if (!zero_points.empty()) {  // 8 bits
          const size_t at = zero_points.size() == 1 ? 0 : static_cast<size_t>(o);
          *to = static_cast<std::byte>(zero_points[at]);
        }
      }
    }
  }
  return Tensor::Copy(weights.type(), shape, bytes);
}

class Expander {
 public:
  explicit Expander(Graph& graph) : graph_(graph), uses_(graph), erased_(graph.nodes.size()) {}

  void Run() {
    const size_t count = graph_.nodes.size();
    for (size_t i = 0; i < count; ++i) {
      if (erased_[i]) continue;
      // A copy: what is added to the graph moves its values.
      const Node node = graph_.nodes[i];
      if (node.as<ConvTranspose>() == nullptr || !Expand(node, i)) nodes_.push_back(node);
    }
    graph_.nodes = std::move(nodes_);
  }

 private:
  bool Expand(const Node& node, size_t index) {
    const ConvTranspose& conv = *node.as<ConvTranspose>();
    const Tensor* weights = graph_.ConstantInput(node, 1);
    const std::optional<Shape> x = graph_.value(node.inputs[0]).shape;  // values move
    const ValueId bias = node.input(2);
    if (weights == nullptr || !x || weights->shape().size() < 3 || conv.groups < 1) return false;
    if (bias != kNoValue &&
        (graph_.value(bias).constant == nullptr ||
         graph_.value(bias).constant->count() != weights->shape()[1] * conv.groups)) {
      return false;
    }
    const std::optional<graph::Quantization> quantization =
        graph_.value(node.inputs[1]).quantization;
    if (quantization && !quantization->per_tensor() && quantization->axis != 1) return false;
    const auto axes = TransposedAxes(conv, *x, weights->shape());
    if (!axes || !CanInterleave(*axes, *x)) return false;
    order_ = {weights->shape()[1] * conv.groups, PhasesOf(*axes), conv.groups == 1};
    base_ = node.name;

    graph::Conv forward;
    forward.groups = conv.groups;
    forward.activation = conv.activation;
    std::vector<int64_t> ends;
    for (const TransposedAxis& axis : *axes) {
      forward.window.kernel.push_back(axis.taps);
      forward.window.strides.push_back(1);
      forward.window.dilations.push_back(axis.dilation);
      forward.window.pads.push_back(axis.pad_begin);
      ends.push_back(axis.pad_end);
    }
    forward.window.pads.insert(forward.window.pads.end(), ends.begin(), ends.end());
    Node made;
    made.name = node.name;
    made.inputs = {node.inputs[0], AddWeights(node.inputs[1], conv.groups, *axes)};
    if (bias != kNoValue) made.inputs.push_back(Repeated(bias));
    made.operation = std::move(forward);

    size_t last = index;
    std::vector<Node> chain = {std::move(made)};
    const bool moves = order_.phases > 1 || Crops(*axes);
    while (moves) {
      const int next = Follower(last);
      if (next < 0) break;
      last = static_cast<size_t>(next);
      erased_[last] = true;
      Node follower = graph_.nodes[last];
      for (size_t i = 1; i < follower.inputs.size(); ++i) {
        follower.inputs[i] = Repeated(follower.inputs[i]);
      }
      chain.push_back(std::move(follower));
    }
    const ValueId result = graph_.nodes[last].outputs[0];
    for (size_t i = 0; i < chain.size(); ++i) {
      if (i > 0) chain[i].inputs[0] = chain[i - 1].outputs[0];
      const bool end = i + 1 == chain.size();
      chain[i].outputs = {end && !moves ? result : NewValue(end ? result : kNoValue, "phases")};
      nodes_.push_back(chain[i]);
    }
    if (moves) Interleave(*axes, *x, chain.back().outputs[0], result);
    return true;
  }

  // The one node that reads the result of node `index` and may as well run before the phases are
  // interleaved; -1 for none.
  int Follower(size_t index) const {
    const ValueId out = graph_.nodes[index].outputs[0];
    if (!uses_.has_single_use(out) || graph_.value(out).quantization) return -1;
    const int next = uses_.consumers(out)[0];
    const Node& node = graph_.nodes[static_cast<size_t>(next)];
    if (node.as<graph::Eltwise>() != nullptr) {
      const graph::ValueId result = node.outputs[0];
      return graph_.value(result).type == graph::DataType::kFloat32 ? next : -1;
    }
    if (node.as<graph::BatchNorm>() == nullptr || node.inputs[0] != out) return -1;
    for (size_t i = 1; i < 5; ++i) {
      const Tensor* constant = PlainConstant(graph_, node, i);
      if (constant == nullptr || constant->count() != order_.channels) return -1;
    }
    return next;
  }

  static bool Crops(const std::vector<TransposedAxis>& axes) {
    return std::any_of(axes.begin(), axes.end(), [](const TransposedAxis& axis) {
      return axis.crop_begin > 0 || axis.crop_end > 0;
    });
  }

  // Two dimensions of one stride have an operation of their own; others take a Reshape, which has
  // to say all sizes but two.
  static bool IsSquare(const std::vector<TransposedAxis>& axes) {
    return axes.size() == 2 && axes[0].stride == axes[1].stride;
  }
  static bool CanInterleave(const std::vector<TransposedAxis>& axes, const Shape& x) {
    if (PhasesOf(axes) == 1 || IsSquare(axes) || axes.size() == 1) return true;
    return std::none_of(x.begin() + 2, x.end(), [](int64_t size) { return size == kUnknownDim; });
  }

  void Interleave(const std::vector<TransposedAxis>& axes, const Shape& x, ValueId phases,
                  ValueId result) {
    const bool crops = Crops(axes);
    ValueId whole = phases;
    if (order_.phases > 1) {
      whole = crops ? NewValue(result, "whole") : result;
      if (IsSquare(axes)) {
        Emit(graph::DepthToSpace{.block = axes[0].stride, .column_row_depth = !order_.by_phase},
             {phases}, whole, "interleave");
      } else {
        InterleaveByReshape(axes, x, phases, whole);
      }
    }
    if (!crops) return;
    std::vector<int64_t> starts, ends, which;
    for (size_t i = 0; i < axes.size(); ++i) {
      if (axes[i].crop_begin == 0 && axes[i].crop_end == 0) continue;
      starts.push_back(axes[i].crop_begin);
      ends.push_back(axes[i].crop_end == 0 ? std::numeric_limits<int64_t>::max()
                                           : -axes[i].crop_end);
      which.push_back(static_cast<int64_t>(i) + 2);
    }
    Emit(graph::Slice{},
         {whole, Integers("starts", starts), Integers("ends", ends), Integers("axes", which)},
         result, "crop");
  }

  // [N, C s1 s2.., q1, q2..] -> [N, C, s1, s2.., q1, q2..] (or C behind all s) -> [N, C, q1, s1,
  // q2, s2..] -> [N, C, q1 s1, q2 s2..]; of one dimension q may be unknown.
  void InterleaveByReshape(const std::vector<TransposedAxis>& axes, const Shape& x, ValueId phases,
                           ValueId whole) {
    const auto space = static_cast<int64_t>(axes.size());
    const int64_t first = order_.by_phase ? 1 : 2;  // of the strides in `split`
    std::vector<int64_t> split = {0}, turn = {0, order_.by_phase ? 1 + space : 1}, merged = {0, 0},
                         counts;
    if (!order_.by_phase) split.push_back(order_.channels);
    for (size_t i = 0; i < axes.size(); ++i) {
      const TransposedAxis& a = axes[i];
      const bool known = x[i + 2] != kUnknownDim;
      counts.push_back(known ? x[i + 2] + a.pad_begin + a.pad_end - (a.taps - 1) * a.dilation
                             : kUnknownDim);
      split.push_back(a.stride);
      turn.push_back(2 + space + static_cast<int64_t>(i));
      turn.push_back(first + static_cast<int64_t>(i));
      merged.push_back(known ? counts.back() * a.stride : kUnknownDim);
    }
    if (order_.by_phase) split.push_back(order_.channels);
    split.insert(split.end(), counts.begin(), counts.end());
    const ValueId parted = NewValue(whole, "parted"), turned = NewValue(whole, "turned");
    Emit(graph::Reshape{}, {phases, Integers("split", split)}, parted, "part");
    Emit(graph::Transpose{.permutation = turn}, {parted}, turned, "turn");
    Emit(graph::Reshape{}, {turned, Integers("merged", merged)}, whole, "merge");
  }

  ValueId AddWeights(ValueId id, int64_t groups, const std::vector<TransposedAxis>& axes) {
    std::optional<graph::Quantization> quantization = graph_.value(id).quantization;
    const TensorPtr weights = graph_.value(id).constant;
    const TensorPtr expanded =
        Expanded(*weights, groups, axes, order_,
                 quantization ? quantization->zero_point : std::vector<int32_t>());
    if (quantization && !quantization->per_tensor()) {
      quantization = Repeated(*quantization, weights->shape()[1]);
    }
    return AddConstant(id, expanded, std::move(quantization));
  }

  // Scales along `period` channels, or so many in each group, as scales along all of the Conv's.
  graph::Quantization Repeated(const graph::Quantization& narrow, int64_t period) const {
    graph::Quantization wide;
    wide.axis = 0;
    for (int64_t i = 0; i < order_.size(); ++i) {
      const auto channel = static_cast<size_t>(order_.channel(i) % period);
      wide.scale.push_back(narrow.scale[channel]);
      wide.zero_point.push_back(narrow.zero_point[channel]);
    }
    return wide;
  }

  // A constant per channel, each of its elements once for each phase.
  ValueId Repeated(ValueId id) {
    const TensorPtr vector = graph_.value(id).constant;
    if (order_.phases == 1) return id;
    const size_t element = kernels::ElementSize(vector->type());
    const auto* from = static_cast<const std::byte*>(vector->data());
    std::vector<std::byte> bytes;
    for (int64_t i = 0; i < order_.size(); ++i) {
      const std::byte* at = from + static_cast<size_t>(order_.channel(i)) * element;
      bytes.insert(bytes.end(), at, at + element);
    }
    std::optional<graph::Quantization> quantization = graph_.value(id).quantization;
    if (quantization && !quantization->per_tensor()) {
      quantization = Repeated(*quantization, order_.channels);
    }
    return AddConstant(id, Tensor::Copy(vector->type(), {order_.size()}, bytes),
                       std::move(quantization));
  }

  ValueId AddConstant(ValueId like, TensorPtr tensor,
                      std::optional<graph::Quantization> quantization) {
    const ValueId id = graph_.AddConstant(
        graph_.UniqueValueName(graph_.value(like).name + "_phases"), std::move(tensor));
    graph_.value(id).quantization = std::move(quantization);
    return id;
  }

  ValueId Integers(const char* what, const std::vector<int64_t>& numbers) {
    return graph_.AddConstant(
        graph_.UniqueValueName(base_ + "_" + what),
        Tensor::Of(graph::DataType::kInt64, {static_cast<int64_t>(numbers.size())}, numbers));
  }

  // A value that is stored like `like` (float32 for none).
  ValueId NewValue(ValueId like, const char* what) {
    graph::Value value;
    if (like != kNoValue) {
      value.type = graph_.value(like).type;
      value.quantization = graph_.value(like).quantization;
    }
    value.name = graph_.UniqueValueName(base_ + "_" + what);
    return graph_.AddValue(std::move(value));
  }

  void Emit(graph::Operation operation, std::vector<ValueId> inputs, ValueId output,
            const char* what) {
    Node node;
    node.name = graph_.UniqueNodeName(base_ + "_" + what);
    node.operation = std::move(operation);
    node.inputs = std::move(inputs);
    node.outputs = {output};
    nodes_.push_back(std::move(node));
  }

  Graph& graph_;
  const graph::Uses uses_;    // of the graph before
  std::vector<bool> erased_;  // nodes that moved in front of an interleaving
  std::vector<Node> nodes_;   // of the graph after
  Order order_;               // of the node at hand, as its name
  std::string base_;
};

}  // namespace

absl::Status ExpandConvTranspose(Graph& graph) {
  const bool any = std::any_of(graph.nodes.begin(), graph.nodes.end(), [](const Node& node) {
    return node.as<ConvTranspose>() != nullptr;
  });
  if (any) Expander(graph).Run();
  return absl::OkStatus();
}

}  // namespace fourfold::passes
