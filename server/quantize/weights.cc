#include "server/quantize/weights.h"

#include <algorithm>
#include <cmath>

#include "kernels/accumulate.h"

namespace fourfold::quantize {

QuantizedWeights QuantizeWeights(const graph::Tensor& weights, int channel_axis,
                                 const std::vector<float>& least_scale) {
  const graph::Shape& dims = weights.shape();
  const auto axis = static_cast<size_t>(channel_axis);
  const auto channels = static_cast<size_t>(dims[axis]);
  size_t inner = 1;
  for (size_t i = axis + 1; i < dims.size(); ++i) inner *= static_cast<size_t>(dims[i]);
  const std::span<const float> values = weights.as<float>();

  std::vector<float> largest(channels, 0.0f);
  for (size_t i = 0; i < values.size(); ++i) {
    float& most = largest[i / inner % channels];
    most = std::max(most, std::fabs(values[i]));
  }
  float fallback = *std::max_element(largest.begin(), largest.end());
  if (fallback == 0.0f) fallback = 1.0f;

  QuantizedWeights result;
  result.quantization.axis = channel_axis;
  result.quantization.zero_point.assign(channels, 0);
  for (size_t c = 0; c < channels; ++c) {
    float scale = (largest[c] == 0.0f ? fallback : largest[c]) / 127.0f;
    if (!least_scale.empty()) scale = std::max(scale, least_scale[c]);
    result.quantization.scale.push_back(std::max(scale, 1e-30f));
  }
  std::vector<int8_t> stored(values.size());
  for (size_t i = 0; i < values.size(); ++i) {
    const float code =
        kernels::RoundHalfToEven(values[i] / result.quantization.scale[i / inner % channels]);
    stored[i] = static_cast<int8_t>(std::clamp(code, -127.0f, 127.0f));
  }
  result.tensor = graph::Tensor::Of(graph::DataType::kInt8, dims, stored);
  return result;
}

int WeightChannelAxis(const graph::Node& node) {
  const auto* matmul = node.as<graph::MatMul>();
  return matmul == nullptr || matmul->transpose_rhs ? 0 : 1;
}

bool IsProductOfValues(const graph::Graph& graph, const graph::Node& node) {
  if (node.as<graph::MatMul>() == nullptr || node.inputs.size() < 2) return false;
  for (size_t i = 2; i < node.inputs.size(); ++i) {
    if (node.inputs[i] != graph::kNoValue) return false;
  }
  for (size_t i : {0, 1}) {
    const graph::Value& operand = graph.value(node.inputs[i]);
    if (operand.constant != nullptr || operand.type != graph::DataType::kFloat32 ||
        operand.quantization || !operand.shape || operand.shape->size() < 3) {
      return false;
    }
  }
  return graph.value(node.inputs[0]).shape->size() == graph.value(node.inputs[1]).shape->size();
}

bool IsEmbedding(const graph::Graph& graph, const graph::Node& node) {
  const auto* gather = node.as<graph::Gather>();
  const graph::Tensor* table = gather == nullptr ? nullptr : graph.ConstantInput(node, 0);
  return table != nullptr && gather->axis == 0 && table->type() == graph::DataType::kFloat32 &&
         !graph.value(node.inputs[0]).quantization && table->shape().size() == 2 &&
         table->count() >= kLeastTable;
}

std::vector<size_t> WeightInputs(const graph::Node& node) {
  if (node.as<graph::Recurrent>() != nullptr) return {1, 2};
  return {1};
}

namespace {

bool IsQuantizableRecurrent(const graph::Graph& graph, const graph::Node& node) {
  for (size_t i : WeightInputs(node)) {
    const graph::Tensor* weights = graph.ConstantInput(node, i);
    if (weights == nullptr || weights->type() != graph::DataType::kFloat32 ||
        weights->shape().size() != 2 || weights->count() == 0 ||
        weights->shape()[1] > kernels::kMaxExactSum) {
      return false;
    }
  }
  return true;
}

}  // namespace

bool HasQuantizableWeights(const graph::Graph& graph, const graph::Node& node) {
  if (node.as<graph::Recurrent>() != nullptr) return IsQuantizableRecurrent(graph, node);
  const auto* matmul = node.as<graph::MatMul>();
  if (node.as<graph::Conv>() == nullptr && matmul == nullptr) return false;
  const graph::Tensor* weights = graph.ConstantInput(node, 1);
  if (weights == nullptr || weights->type() != graph::DataType::kFloat32) return false;
  if (matmul != nullptr && (weights->shape().size() != 2 || matmul->transpose_lhs)) return false;
  if (weights->shape().size() < 2) return false;
  const int64_t channels = weights->shape()[static_cast<size_t>(WeightChannelAxis(node))];
  if (node.input(2) != graph::kNoValue) {
    const graph::Tensor* bias = graph.ConstantInput(node, 2);
    if (bias == nullptr || bias->shape().empty() || bias->shape().back() != channels ||
        bias->count() != channels) {
      return false;
    }
  }
  return channels > 0 && weights->count() / channels <= kernels::kMaxExactSum;
}

}  // namespace fourfold::quantize
