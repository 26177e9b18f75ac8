#include <vector>

#include "absl/strings/str_cat.h"
#include "server/base/status_macros.h"
#include "server/onnx/builders.h"

namespace fourfold::onnx {
namespace {

using graph::kNoValue;
using graph::ValueId;
using Operation = graph::Binary::Operation;

ValueId Emit(NodeBuilder& node, Operation operation, ValueId a, ValueId b,
             const std::string& name) {
  const ValueId result = node.NewValue(name);
  node.Emit(graph::Binary{.operation = operation, .activation = {}}, {a, b}, {result});
  return result;
}

// A vector per channel as [C, 1, ...], for x of that rank.
ValueId Wide(NodeBuilder& node, ValueId vector, size_t rank, const std::string& name) {
  std::vector<int64_t> axes;
  for (size_t d = 2; d < rank; ++d) axes.push_back(static_cast<int64_t>(d) - 1);
  if (axes.empty()) return vector;
  const ValueId result = node.NewValue(name);
  node.Emit(graph::Unsqueeze{}, {vector, node.NewInt64s(name + "_axes", axes)}, {result});
  return result;
}

// x * factor + shift with factor = scale / sqrt(variance + epsilon), shift = bias - mean * factor.
void EmitBatchNorm(NodeBuilder& node, ValueId mean, ValueId variance, float epsilon, size_t rank) {
  const ValueId sum =
      Emit(node, Operation::kAdd, variance, node.NewScalar("epsilon", epsilon), "stable");
  const ValueId root = node.NewValue("deviation");
  node.Emit(graph::Eltwise{.function = graph::Eltwise::Function::kSqrt, .activation = {}}, {sum},
            {root});
  const ValueId factor = Emit(node, Operation::kDiv, node.input(1), root, "factor");
  const ValueId shift = Emit(node, Operation::kSub, node.input(2),
                             Emit(node, Operation::kMul, mean, factor, "moved"), "shift");
  const ValueId scaled =
      Emit(node, Operation::kMul, node.input(0), Wide(node, factor, rank, "wide_factor"), "scaled");
  node.Emit(graph::Binary{}, {scaled, Wide(node, shift, rank, "wide_shift")});
}

// Mean and variance of the batch instead of the given ones, which the running ones follow.
absl::Status EmitTraining(NodeBuilder& node, float epsilon, float momentum, size_t rank) {
  std::vector<int64_t> axes = {0};
  for (size_t d = 2; d < rank; ++d) axes.push_back(static_cast<int64_t>(d));
  const auto mean_of = [&](ValueId x, bool keep_dims, const std::string& name) {
    const ValueId result = node.NewValue(name);
    node.Emit(
        graph::Reduce{
            .operation = graph::Reduce::Operation::kMean, .axes = axes, .keep_dims = keep_dims},
        {x}, {result});
    return result;
  };
  const ValueId mean = mean_of(node.input(0), false, "batch_mean");
  const ValueId centered = Emit(node, Operation::kSub, node.input(0),
                                mean_of(node.input(0), true, "batch_mean_kept"), "centered");
  const ValueId variance =
      mean_of(Emit(node, Operation::kMul, centered, centered, "squares"), false, "batch_variance");
  EmitBatchNorm(node, mean, variance, epsilon, rank);
  const ValueId batch[] = {mean, variance};
  for (int i = 0; i < 2 && i + 1 < node.output_count(); ++i) {
    const std::string name = i == 0 ? "running_mean" : "running_variance";
    const ValueId kept = Emit(node, Operation::kMul, node.input(3 + i),
                              node.NewScalar(name + "_momentum", momentum), name + "_kept");
    const ValueId added = Emit(node, Operation::kMul, batch[i],
                               node.NewScalar(name + "_rest", 1.0f - momentum), name + "_added");
    node.Emit(graph::Binary{}, {kept, added}, {node.output(i + 1)});
  }
  return absl::OkStatus();
}

// The repeated elements of a vector per group as one per channel.
ValueId PerChannel(NodeBuilder& node, ValueId vector, int64_t groups, int64_t channels,
                   const std::string& name) {
  const ValueId column = node.NewValue(name + "_column"), wide = node.NewValue(name + "_wide"),
                result = node.NewValue(name);
  node.Emit(graph::Unsqueeze{}, {vector, node.NewInt64s(name + "_axis", {1})}, {column});
  node.Emit(graph::Expand{}, {column, node.NewInt64s(name + "_shape", {groups, channels / groups})},
            {wide});
  node.Emit(graph::Reshape{}, {wide, node.NewInt64s(name + "_flat", {channels})}, {result});
  return result;
}

}  // namespace

absl::Status BuildBatchNormalization(NodeBuilder& node) {
  Attributes& attributes = node.attributes();
  const float epsilon = attributes.Float("epsilon", 1e-5f);
  const float momentum = attributes.Float("momentum", 0.9f);
  if (attributes.Int("spatial", 1) == 0) return absl::UnimplementedError("spatial 0");
  const bool training = attributes.Int("training_mode", 0) != 0;
  const std::optional<graph::Shape> x = node.KnownShape(node.input(0));
  if (!training) {
    node.Emit(graph::BatchNorm{.epsilon = epsilon}, node.inputs());
    return absl::OkStatus();
  }
  if (!x) return absl::UnimplementedError("training_mode 1 of an unknown rank");
  if (x->size() < 2) return absl::InvalidArgumentError("its input has no channels");
  return EmitTraining(node, epsilon, momentum, x->size());
}

absl::Status BuildInstanceNormalization(NodeBuilder& node) {
  node.Emit(graph::Normalization{.kind = graph::Normalization::Kind::kInstance,
                                 .epsilon = node.attributes().Float("epsilon", 1e-5f)},
            node.inputs());
  return absl::OkStatus();
}

// Before opset 21 scale and bias have an element per group.
absl::Status BuildGroupNormalization(NodeBuilder& node) {
  Attributes& attributes = node.attributes();
  attributes.Require("num_groups");
  attributes.Ignore("stash_type");  // float32 is what we compute in
  graph::Normalization norm;
  norm.kind = graph::Normalization::Kind::kGroup;
  norm.groups = attributes.Int("num_groups", 1);
  norm.epsilon = attributes.Float("epsilon", 1e-5f);
  std::vector<ValueId> inputs = node.inputs();
  constexpr int64_t kPerChannelSince = 21;
  if (node.opset() < kPerChannelSince) {
    const std::optional<graph::Shape> x = node.KnownShape(node.input(0));
    if (!x || x->size() < 2 || (*x)[1] == graph::kUnknownDim) {
      return absl::UnimplementedError("an unknown number of channels");
    }
    const int64_t channels = (*x)[1];
    if (norm.groups < 1 || channels % norm.groups != 0) {
      return absl::InvalidArgumentError(
          absl::StrCat("num_groups ", norm.groups, " does not divide ", channels, " channels"));
    }
    if (norm.groups != channels) {
      inputs[1] = PerChannel(node, inputs[1], norm.groups, channels, "scale");
      inputs[2] = PerChannel(node, inputs[2], norm.groups, channels, "bias");
    }
  }
  node.Emit(norm, inputs);
  return absl::OkStatus();
}

absl::Status BuildLayerNormalization(NodeBuilder& node) {
  Attributes& attributes = node.attributes();
  if (attributes.Int("stash_type", 1) != 1) return absl::UnimplementedError("stash_type not 1");
  std::vector<ValueId> outputs;
  for (int i = 0; i < node.output_count(); ++i) outputs.push_back(node.output(i));
  node.Emit(graph::Normalization{.kind = graph::Normalization::Kind::kLayer,
                                 .axis = attributes.Int("axis", -1),
                                 .epsilon = attributes.Float("epsilon", 1e-5f)},
            node.inputs(), outputs);
  return absl::OkStatus();
}

absl::Status BuildLpNormalization(NodeBuilder& node) {
  graph::LpNormalization norm{.axis = node.attributes().Int("axis", -1),
                              .p = node.attributes().Int("p", 2)};
  if (norm.p != 1 && norm.p != 2) {
    return absl::InvalidArgumentError(absl::StrCat("attribute \"p\" is ", norm.p));
  }
  node.Emit(norm, {node.input(0)});
  return absl::OkStatus();
}

absl::Status BuildLocalResponseNorm(NodeBuilder& node) {
  Attributes& attributes = node.attributes();
  attributes.Require("size");
  graph::LocalResponseNorm norm{.alpha = attributes.Float("alpha", 1e-4f),
                                .beta = attributes.Float("beta", 0.75f),
                                .bias = attributes.Float("bias", 1.0f),
                                .size = attributes.Int("size", 1)};
  if (norm.size < 1) {
    return absl::InvalidArgumentError(absl::StrCat("attribute \"size\" is ", norm.size));
  }
  node.Emit(norm, {node.input(0)});
  return absl::OkStatus();
}

}  // namespace fourfold::onnx
