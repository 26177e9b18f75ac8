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

bool HasQuantizableWeights(const graph::Graph& graph, const graph::Node& node) {
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
