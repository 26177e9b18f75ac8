#include <cmath>

#include "kernels/arithmetic.h"
#include "server/quantize/precision.h"
#include "server/quantize/weights.h"

namespace fourfold::quantize {

graph::Graph ToFloat16(const graph::Graph& graph, std::vector<std::string>* kept) {
  constexpr float kLargestHalf = 65504.0f;
  graph::Graph result = graph;
  std::map<graph::ValueId, graph::ValueId> halves;
  for (graph::Node& node : result.nodes) {
    if (node.as<graph::Conv>() == nullptr && node.as<graph::MatMul>() == nullptr &&
        node.as<graph::Recurrent>() == nullptr) {
      continue;
    }
    for (size_t i : WeightInputs(node)) {
      const graph::ValueId id = node.inputs[i];
      const graph::Tensor* weights = result.ConstantInput(node, i);
      if (weights == nullptr || weights->type() != graph::DataType::kFloat32) continue;
      if (!halves.contains(id)) {
        const std::span<const float> values = weights->as<float>();
        std::vector<uint16_t> half(values.size());
        bool fits = true;
        for (size_t j = 0; j < values.size(); ++j) {
          fits = fits && std::fabs(values[j]) <= kLargestHalf;
          half[j] = kernels::FloatToHalf(values[j]);
        }
        if (!fits && kept != nullptr) kept->push_back(result.value(id).name);
        halves[id] =
            !fits ? id
                  : result.AddConstant(
                        result.UniqueValueName(result.value(id).name + "_f16"),
                        graph::Tensor::Of(graph::DataType::kFloat16, weights->shape(), half));
      }
      node.inputs[i] = halves[id];
    }
  }
  return result;
}

}  // namespace fourfold::quantize
