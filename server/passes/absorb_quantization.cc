#include "server/passes/absorb_quantization.h"

#include <cmath>

#include "absl/strings/str_cat.h"
#include "server/base/status_macros.h"
#include "server/graph/shapes.h"
#include "server/passes/passes.h"

namespace fourfold::passes {

using graph::Graph;
using graph::Node;
using graph::Quantization;
using graph::Tensor;

absl::StatusOr<std::optional<Quantization>> ConstantQuantization(const Graph& graph,
                                                                 const Node& node) {
  const Tensor* scale = graph.ConstantInput(node, 1);
  const bool has_zero = node.input(2) != graph::kNoValue;
  const Tensor* zero = graph.ConstantInput(node, 2);
  if (scale == nullptr || scale->type() != graph::DataType::kFloat32 ||
      (has_zero && zero == nullptr)) {
    return std::nullopt;
  }
  if (has_zero && graph::IsFloatingPoint(zero->type())) return std::nullopt;
  Quantization how{scale->ToFloat(), {}, -1};
  for (float number : how.scale) {
    if (std::isfinite(number) && number >= 0.0f) continue;
    return absl::InvalidArgumentError(
        absl::StrCat(node.name, " (", graph::OperationName(node.operation), "): got scale ", number,
                     ", wanted a finite one of at least 0"));
  }
  how.zero_point.assign(how.scale.size(), 0);
  if (has_zero) {
    const std::vector<int64_t> numbers = zero->ToInt64();
    if (numbers.size() != how.scale.size()) return std::nullopt;
    for (size_t i = 0; i < numbers.size(); ++i)
      how.zero_point[i] = static_cast<int32_t>(numbers[i]);
  }
  if (how.scale.size() == 1) return how;
  const auto* quantize = node.as<graph::Quantize>();
  const int64_t axis = quantize != nullptr ? quantize->axis : node.as<graph::Dequantize>()->axis;
  const auto& shape = graph.value(node.inputs[0]).shape;
  if (!shape) return std::nullopt;
  const std::optional<size_t> dim = graph::NormalizeAxis(axis, shape->size());
  if (!dim || (*shape)[*dim] != static_cast<int64_t>(how.scale.size())) return std::nullopt;
  how.axis = static_cast<int>(*dim);
  return how;
}

absl::Status AbsorbQuantization(Graph& graph) {
  RETURN_IF_ERROR(RecognizeDynamic(graph));
  RETURN_IF_ERROR(AbsorbConstants(graph));
  RETURN_IF_ERROR(LiftIntegers(graph));
  RETURN_IF_ERROR(AbsorbActivations(graph));
  RETURN_IF_ERROR(SpreadQuantization(graph));
  return AbsorbDynamic(graph);
}

}  // namespace fourfold::passes
